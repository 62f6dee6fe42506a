//! What becomes of messages that a queue lets go of though nobody had them: they are published again.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{State, queue::Entry};
use crate::{
    death::{Death, Reason},
    message::Message,
};

/// A message on its way from a queue to its dead letter exchange.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(super) entry: Entry,
    pub(super) reason: Reason,
    pub(super) queue: Arc<str>,
    pub(super) exchange: Arc<str>,
    /// Instead of its own.
    pub(super) key: Option<Arc<str>>,
}

impl State {
    /// Publishes what has died in this call, and what that displaces in turn. A loop, as the way from queue
    /// to queue may be long.
    pub(super) fn dead_letter(&mut self) {
        while let Some(dead) = self.dead.pop_front() {
            self.publish_dead(&dead);
        }
    }

    /// As in `RabbitMQ`, without an exchange the message is lost, and so it is in a queue that it has been in
    /// before, unless a client rejected it on the way: it would go in a circle for ever.
    fn publish_dead(&mut self, dead: &Dead) {
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
                self.queues.get(*queue).is_some_and(|queue| !dead_lettered.comes_round_to(&queue.name))
            });
        }
        routes.sort_unstable();
        routes.dedup();
        let exchange = Arc::clone(&exchange.name);
        let message = Arc::new(Message::new(exchange, dead_lettered.content, &self.memory));
        for queue in routes {
            // Nobody is there to hear of a refusal.
            let _refused = self.push(queue, &message);
            self.serve(queue);
        }
    }
}
