//! The way of a message into its queues.

use std::{iter, sync::Arc};

use super::{State, arena::Key, exchange::Destination, queue::Queue};
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
    /// Nobody wanted it: here it is.
    Unroutable(Message),
}

/// A queue has no room, and does not make any.
#[derive(Debug)]
pub(super) struct Full;

impl State {
    /// Routes by the content's own key and by those of its `copies`.
    pub(crate) fn publish(
        &mut self,
        exchange: &str,
        content: Content,
        copies: &[String],
    ) -> Result<Published, AmqpError> {
        let source = self.exchange(exchange)?;
        if source.spec.internal {
            return Err(AmqpError::access_refused(format!(
                "cannot publish to internal exchange '{exchange}' in vhost '{VIRTUAL_HOST}'"
            )));
        }
        let source = Arc::clone(&source.name);
        let mut routes = std::mem::take(&mut self.routes);
        // Routing keys have been checked on arrival.
        let key = str::from_utf8(content.routing_key()).unwrap_or_default();
        self.route(exchange, key, copies, &mut routes);
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
    pub(super) fn route(&self, exchange: &str, key: &str, copies: &[String], queues: &mut Vec<Key<Queue>>) {
        let keys = || iter::once(key).chain(copies.iter().map(String::as_str));
        if exchange.is_empty() {
            queues.extend(keys().filter_map(|key| self.queue_names.get(key)));
            return;
        }
        let mut reached: Vec<&str> = Vec::new();
        let mut next = self.exchanges.get(exchange);
        let mut followed = 0;
        while let Some(source) = next {
            for key in keys() {
                source.route(key, &mut |destination| match destination {
                    Destination::Queue(queue) => queues.push(*queue),
                    // Each only once: exchanges may be bound in a circle.
                    Destination::Exchange(name) => {
                        if **name != *exchange && !reached.contains(&&**name) {
                            reached.push(name);
                        }
                    }
                });
            }
            next = reached.get(followed).and_then(|name| self.exchanges.get(*name));
            followed += 1;
        }
    }
}
