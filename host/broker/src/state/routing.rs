//! Routing: messages on their way into queues.

use std::{iter, sync::Arc};

use super::{
    BrokerState,
    arena::Key,
    exchange::{Destination, Exchange},
    queue::Queue,
};
use crate::{
    error::{AmqpError, VIRTUAL_HOST},
    message::{Content, Message},
};

/// How a publish ended.
#[derive(Debug)]
pub(crate) enum Published {
    Routed,
    /// A queue had no room for it.
    Refused,
    /// It could not be routed, and is given back.
    Unroutable(Message),
}

/// A queue is full, and rejects new messages.
#[derive(Debug)]
pub(super) struct Full;

impl BrokerState {
    /// Routes by the content's own key and by those of its `copies`.
    pub(crate) fn publish(
        &mut self,
        exchange: &str,
        content: Content,
        copies: &[String],
    ) -> Result<Published, AmqpError> {
        let mut routes = std::mem::take(&mut self.routes);
        let source = self.exchange(exchange)?;
        if source.spec.internal {
            return Err(AmqpError::access_refused(format!(
                "cannot publish to internal exchange '{exchange}' in vhost '{VIRTUAL_HOST}'"
            )));
        }
        // Routing keys have been checked on arrival.
        let key = str::from_utf8(content.routing_key()).unwrap_or_default();
        self.route(source, key, copies, &mut routes);
        let source = Arc::clone(&source.name);
        if routes.len() > 1 {
            routes.sort_unstable();
            routes.dedup();
        }
        let message = Message::new(source, content, &self.memory);
        let published = if routes.is_empty() {
            Published::Unroutable(message)
        } else {
            let message = Arc::new(message);
            let mut published = Published::Routed;
            for &queue in &routes {
                if let Err(Full) = self.push(queue, &message) {
                    published = Published::Refused;
                }
                self.dispatch(queue);
            }
            published
        };
        routes.clear();
        self.routes = routes;
        Ok(published)
    }

    pub(super) fn push(&mut self, queue: Key<Queue>, message: &Arc<Message>) -> Result<(), Full> {
        let Some(queue) = self.queues.get_mut(queue) else {
            return Ok(());
        };
        if queue.refuses(message.content()) {
            return Err(Full);
        }
        let expires = queue.expiry(message.content(), &self.clock);
        queue.push(Arc::clone(message), expires);
        Ok(())
    }

    /// Adds the queues that `key` and those of `copies` lead to, some more than once. Each exchange on the
    /// way is asked with all of them, as they are the message's: which key led to it does not matter.
    pub(super) fn route<'s>(
        &'s self,
        first: &'s Exchange,
        key: &str,
        copies: &[String],
        queues: &mut Vec<Key<Queue>>,
    ) {
        let keys = || iter::once(key).chain(copies.iter().map(String::as_str));
        // Each only once: exchanges may be bound in a circle.
        let mut reached: Vec<&'s str> = Vec::new();
        let reach = |name: &'s str, reached: &mut Vec<&'s str>| {
            if name != &*first.name && !reached.contains(&name) {
                reached.push(name);
            }
        };
        let mut next = Some(first);
        let mut followed = 0;
        while let Some(source) = next {
            let mut leads_nowhere = true;
            for key in keys() {
                if source.name.is_empty() {
                    queues.extend(self.queue_names.get(key));
                }
                source.route(key, &mut |destination| {
                    leads_nowhere = false;
                    match destination {
                        Destination::Queue(queue) => queues.push(*queue),
                        Destination::Exchange(name) => reach(name, &mut reached),
                    }
                });
            }
            let alternate = source.spec.alternate.as_ref().filter(|_| leads_nowhere);
            if let Some(alternate) = alternate.and_then(|name| self.exchanges.get(name)) {
                reach(&alternate.name, &mut reached);
            }
            next = reached.get(followed).and_then(|name| self.exchanges.get(*name));
            followed += 1;
        }
    }
}
