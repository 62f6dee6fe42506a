//! The consumers of a queue, and which of them is next.

use std::sync::Arc;

use super::{Consumption, Queue};
use crate::{
    error::{AmqpError, Code, VIRTUAL_HOST},
    memory::Charge,
    state::{arena::Key, channel::ChannelState},
};

#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) tag: Arc<str>,
    pub(crate) channel: Key<ChannelState>,
    pub(crate) acknowledgement: Acknowledgement,
    pub(crate) exclusive: bool,
    /// Zero: no limit.
    pub(crate) prefetch: u16,
    pub(crate) in_flight: u32,
    pub(crate) _charge: Charge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConsumerId(pub(crate) u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    /// By the client.
    Explicit,
    /// `no_ack`: a message is acknowledged when it is sent.
    Automatic,
}

impl Consumer {
    /// Whether its prefetch allows one more delivery.
    pub(crate) fn has_credit(&self) -> bool {
        self.acknowledgement == Acknowledgement::Automatic
            || self.prefetch == 0
            || self.in_flight < u32::from(self.prefetch)
    }
}

impl Queue {
    pub(crate) fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }

    pub(crate) fn consumer_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.iter_mut().find(|consumer| consumer.id == id)
    }

    pub(crate) fn add_consumer(&mut self, consumer: Consumer) -> Result<(), AmqpError> {
        let taken = self.consumers.iter().any(|consumer| consumer.exclusive);
        let single = self.spec.consumption == Consumption::SingleActive;
        if taken || consumer.exclusive && (single || !self.consumers.is_empty()) {
            return Err(AmqpError::new(
                Code::AccessRefused,
                format!("queue '{}' in vhost '{VIRTUAL_HOST}' in exclusive use", self.name),
            ));
        }
        self.consumers.push(consumer);
        Ok(())
    }

    pub(crate) fn remove_consumer(&mut self, id: ConsumerId) -> Option<Consumer> {
        let at = self.consumers.iter().position(|consumer| consumer.id == id)?;
        // The next consumer stays the same.
        if at < self.turn {
            self.turn -= 1;
        }
        Some(self.consumers.remove(at))
    }

    /// The next consumer for which `may_take` holds.
    pub(crate) fn next_consumer(
        &mut self,
        mut may_take: impl FnMut(&Consumer) -> bool,
    ) -> Option<&mut Consumer> {
        let count = match self.spec.consumption {
            Consumption::SingleActive => self.consumers.len().min(1),
            Consumption::Shared => self.consumers.len(),
        };
        let at =
            (0..count).map(|step| (self.turn + step) % count).find(|&at| may_take(&self.consumers[at]))?;
        self.turn = at + 1;
        self.consumers.get_mut(at)
    }
}
