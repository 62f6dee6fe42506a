//! Binding the consumer's queue, once this host is the one that consumes it.

use std::sync::Arc;

use futures_util::FutureExt;
use loghost_core::application::{Clock, ConsumerActivity};

use super::AmqpSource;
use crate::topology::bindings;
use crate::topology::check::TopologyCheck;
use crate::topology::error::TopologyError;
use crate::topology::inspection::Binding;
use crate::topology::queues::Lifetime;

impl<K: Clock> AmqpSource<K> {
    /// As the active host: binds the queue to what is wanted, and to nothing else that is known.
    pub(super) async fn bind(&mut self) -> Result<(), TopologyError> {
        // It may be changing the bindings, and is not polled meanwhile.
        self.check = None;
        self.replace_bindings().await?;
        self.former = None;
        self.check = self.options.check.clone().map(|options| {
            let check = TopologyCheck {
                connection: Arc::clone(&self.connection),
                bindings: self.bindings.clone(),
                names: self.names.clone(),
                consumer: self.consumer.clone(),
                queue: self.queue.clone(),
                filter: self.filter.clone(),
                queues: self.options.queue.clone(),
                dead_letter_queue: self.dead_letter_queue,
                options,
                told: None,
            };
            check.begin().boxed()
        });
        self.activity = ConsumerActivity::Active;
        Ok(())
    }

    /// Where the user may not bind the queue, it stays as it is, and what is missing is said.
    async fn replace_bindings(&mut self) -> Result<(), TopologyError> {
        if !self.bindings.are_refused() {
            match self.bindings.replace(&self.filter, self.former.as_ref()).await {
                Err(error) if error.is_access_refused() && self.options.queue.lifetime == Lifetime::Named => {
                }
                replaced => return replaced,
            }
        }
        self.options.queue.tell_unbound(&self.connection, &self.queue, self.new_bindings());
        Ok(())
    }

    /// What the queue was not bound to before, as far as that is known.
    fn new_bindings(&self) -> Vec<Binding> {
        let Some(former) = &self.former else { return Vec::new() };
        let before = bindings::wanted(&self.names, former);
        let mut wanted = bindings::wanted(&self.names, &self.filter);
        wanted.retain(|binding| !before.contains(binding));
        wanted
    }
}
