//! The unacknowledged deliveries of a channel, and its prefetch.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Connection,
    arena::Key,
    queue::{ConsumerId, Entry, Queue},
};
use crate::{error::AmqpError, outbox::Outbox};

#[derive(Debug)]
pub(crate) struct ChannelState {
    pub(crate) connection: Key<Connection>,
    pub(crate) number: u16,
    pub(crate) outbox: Arc<Outbox>,
    /// The client wants to be told when the broker cancels a consumer.
    pub(crate) cancel_notify: bool,
    pub(crate) subscriptions: Vec<Subscription>,
    /// The index of the queue that is served first when its prefetch has room again.
    pub(crate) turn: usize,
    /// What an empty queue name means.
    pub(crate) last_queue: Option<Arc<str>>,
    /// The prefetch of consumers to come.
    pub(crate) prefetch: u16,
    /// The prefetch of all consumers together. Zero: no limit.
    pub(crate) shared_prefetch: u16,
    in_flight: u32,
    last_tag: u64,
    /// In order of delivery tag.
    unacked: VecDeque<Unacked>,
}

/// A consumer, as its channel knows it.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) tag: Arc<str>,
    pub(crate) queue: Key<Queue>,
    pub(crate) consumer: ConsumerId,
}

/// A delivery that waits for its acknowledgement.
#[derive(Debug)]
pub(crate) struct Unacked {
    pub(crate) delivery_tag: u64,
    pub(crate) queue: Key<Queue>,
    /// None: it was fetched with `basic.get`.
    pub(crate) consumer: Option<ConsumerId>,
    pub(crate) entry: Entry,
}

/// Which deliveries an acknowledgement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryTags {
    One(u64),
    UpTo(u64),
    All,
}

impl ChannelState {
    pub(crate) fn new(
        connection: Key<Connection>,
        number: u16,
        outbox: Arc<Outbox>,
        cancel_notify: bool,
    ) -> Self {
        Self {
            connection,
            number,
            outbox,
            cancel_notify,
            subscriptions: Vec::new(),
            turn: 0,
            last_queue: None,
            prefetch: 0,
            shared_prefetch: 0,
            in_flight: 0,
            last_tag: 0,
            unacked: VecDeque::new(),
        }
    }

    pub(crate) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Whether the limit that its consumers share leaves room for one more.
    pub(crate) fn has_credit(&self) -> bool {
        self.shared_prefetch == 0 || self.in_flight < u32::from(self.shared_prefetch)
    }

    pub(crate) fn remember(&mut self, unacked: Unacked) {
        self.in_flight += u32::from(unacked.consumer.is_some());
        self.unacked.push_back(unacked);
    }

    /// Moves these deliveries to `taken`.
    pub(crate) fn take_unacked(
        &mut self,
        tags: DeliveryTags,
        taken: &mut Vec<Unacked>,
    ) -> Result<(), AmqpError> {
        let position = |tag| {
            self.unacked
                .binary_search_by_key(&tag, |unacked| unacked.delivery_tag)
                .map_err(|_| AmqpError::precondition(format!("unknown delivery tag {tag}")))
        };
        let before = taken.len();
        match tags {
            DeliveryTags::One(tag) => {
                let at = position(tag)?;
                taken.extend(self.unacked.remove(at));
            }
            DeliveryTags::UpTo(tag) => {
                let at = position(tag)?;
                taken.extend(self.unacked.drain(..=at));
            }
            DeliveryTags::All => taken.extend(self.unacked.drain(..)),
        }
        let consumed = taken[before..].iter().filter(|unacked| unacked.consumer.is_some());
        self.in_flight -= u32::try_from(consumed.count()).unwrap_or(self.in_flight);
        Ok(())
    }

    pub(crate) fn subscription(&self, tag: &str) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| *subscription.tag == *tag)
    }

    pub(crate) fn unsubscribe(&mut self, consumer: ConsumerId) {
        self.subscriptions.retain(|subscription| subscription.consumer != consumer);
    }
}
