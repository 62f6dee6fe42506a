//! Dead letters: messages that a queue drops or a client rejects are published again.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{BrokerState, queue::Entry};
use crate::{
    death::{Death, Reason},
    message::Message,
};

/// A message on its way from a queue to its dead letter exchange.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(super) entry: Entry,
    pub(super) reason: Reason,
    pub(super) queue: Arc<str>,
    pub(super) exchange: Arc<str>,
    /// The routing key, if it is not the message's own.
    pub(super) key: Option<Arc<str>>,
}

impl BrokerState {
    /// Publishes the dead letters of this call, and those that they cause in turn. A loop, not a recursion: a chain of
    /// queues may be long.
    pub(super) fn dead_letter(&mut self) {
        while let Some(dead) = self.dead.pop_front() {
            self.publish_dead(&dead);
        }
    }

    /// As in `RabbitMQ`, the message is dropped if the exchange does not exist, or if it would go in a cycle: to a
    /// queue that it has been in before, without having been rejected since.
    fn publish_dead(&mut self, dead: &DeadLetter) {
        let Ok(exchange) = self.exchange(&dead.exchange) else {
            return;
        };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let death = Death {
            reason: dead.reason,
            queue: &dead.queue,
            exchange: dead.entry.message.exchange(),
            seconds,
            key: dead.key.as_deref(),
        };
        let Ok(dead_lettered) = death.record(dead.entry.message.content()) else {
            return;
        };
        let key = str::from_utf8(dead_lettered.content.routing_key()).unwrap_or_default();
        let mut routes = Vec::new();
        self.route(exchange, key, &dead_lettered.copies, &mut routes);
        if dead.reason != Reason::Rejected {
            routes.retain(|queue| {
                self.queues.get(*queue).is_some_and(|queue| !dead_lettered.has_cycled_through(&queue.name))
            });
        }
        routes.sort_unstable();
        routes.dedup();
        let exchange = Arc::clone(&exchange.name);
        let message = Arc::new(Message::new(exchange, dead_lettered.content, &self.memory));
        for queue in routes {
            // There is no publisher to tell of a refusal.
            let _refused = self.push(queue, &message);
            self.serve(queue);
        }
    }
}
