//! Binding the consumer's queue, once this host is the one that consumes it.

use std::sync::Arc;

use futures_util::FutureExt;
use loghost_core::application::{Clock, ConsumerActivity};

use super::AmqpSource;
use crate::topology::bindings;
use crate::topology::check::TopologyCheck;
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;
use crate::topology::inspection::Binding;
use crate::topology::queues::Lifetime;

impl<K: Clock> AmqpSource<K> {
    /// As the active host: binds the queue to what is wanted, and to nothing else that is known. Where the logs come from
    /// streams, the bindings stay as they are until those are open.
    pub(super) async fn bind(&mut self) -> Result<(), TopologyError> {
        // It may be changing the bindings, and is not polled meanwhile.
        self.check = None;
        if self.options.streams.is_none() {
            self.replace_bindings().await?;
            self.former = None;
        }
        self.check = self.options.check.clone().map(|options| {
            let check = TopologyCheck {
                connection: Arc::clone(&self.connection),
                bindings: self.bindings.clone(),
                names: self.read.names.clone(),
                consumer: self.consumer.clone(),
                queue: self.queue.clone(),
                filter: self.read.filter.clone(),
                queues: self.options.queue.clone(),
                retention: self.options.streams.as_ref().map(|streams| streams.retention),
                dead_letter_queue: self.dead_letter_queue,
                options,
                told: None,
            };
            check.begin().boxed()
        });
        self.activity = ConsumerActivity::Active;
        Ok(())
    }

    /// Where the logs come from streams: binds those of exchanges of others, as far as these are there.
    pub(in crate::consume) async fn bind_streams(&mut self) -> Result<(), TopologyError> {
        self.connection.answer(self.bindings.add_bound(&self.read.filter)).await
    }

    /// As the active host whose logs come from streams: removes the bindings of the queue that are known.
    pub(in crate::consume) async fn unbind(&mut self) -> Result<(), TopologyError> {
        let former = self.former.as_ref();
        if !self.connection.answer(self.bindings.remove(&self.read.filter, former)).await? {
            let event = TopologyEvent::UnbindingDenied { queue: self.queue.clone() };
            self.connection.tell(Some(&self.consumer), &event);
        }
        self.former = None;
        Ok(())
    }

    /// Where the user may not bind the queue, it stays as it is, and what is missing is said.
    async fn replace_bindings(&mut self) -> Result<(), TopologyError> {
        if !self.bindings.are_refused() {
            match self.bindings.replace(&self.read.filter, self.former.as_ref()).await {
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
        let before = bindings::wanted(&self.read.names, former);
        let mut wanted = bindings::wanted(&self.read.names, &self.read.filter);
        wanted.retain(|binding| !before.contains(binding));
        wanted
    }
}
