//! A queue: its messages, in order. Each has a position, to which it returns when it is requeued.

mod consumers;
mod spec;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

pub(crate) use self::{
    consumers::{Acknowledgement, Consumer, ConsumerId},
    spec::{Consumption, QueueKind, QueueSpec},
};
use super::{Connection, arena::Key, clock::Moment};
use crate::{memory::Charge, message::Message};

/// An empty queue keeps the capacity for this many messages.
const IDLE_CAPACITY: usize = 4096;
/// The bytes that each entry in a queue is charged.
const PER_ENTRY: usize = 32;

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: Arc<str>,
    pub(crate) spec: QueueSpec,
    /// The one connection that may use it, where it is exclusive.
    pub(crate) owner: Option<Key<Connection>>,
    /// In order of position.
    ready: VecDeque<Entry>,
    next_position: u64,
    /// In order of arrival: with a single active consumer, the first one.
    consumers: Vec<Consumer>,
    /// The index of the consumer that is next.
    turn: usize,
    /// The sum of the bodies' lengths.
    ready_bytes: usize,
    /// When it was last used, if it expires.
    pub(crate) used_at: Moment,
    /// When the clock is to check it.
    pub(crate) look_at: Moment,
    _charge: Charge,
}

/// A message in a queue.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    /// The position, shifted left; the lowest bit says whether it was delivered before. Packed, because queues are
    /// long.
    order: u64,
    expires: Moment,
}

impl Queue {
    pub(crate) fn new(
        name: Arc<str>,
        spec: QueueSpec,
        owner: Option<Key<Connection>>,
        charge: Charge,
    ) -> Self {
        Self {
            name,
            spec,
            owner,
            ready: VecDeque::new(),
            next_position: 0,
            consumers: Vec::new(),
            turn: 0,
            ready_bytes: 0,
            used_at: Moment::NEVER,
            look_at: Moment::NEVER,
            _charge: charge,
        }
    }

    /// The number of messages that are ready.
    pub(crate) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// The sum of the lengths of the bodies that are ready.
    pub(crate) fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// When the next message expires.
    pub(crate) fn head_expires(&self) -> Moment {
        self.ready.front().map_or(Moment::NEVER, |entry| entry.expires)
    }

    pub(crate) fn push(&mut self, message: Arc<Message>, expires: Moment) {
        let order = self.next_position << 1;
        self.next_position += 1;
        self.ready_bytes += message.content().body().len();
        self.ready.push_back(Entry::new(message, order, expires));
    }

    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = self.ready.pop_front()?;
        self.ready_bytes -= entry.message.content().body().len();
        if self.ready.is_empty() && self.ready.capacity() > IDLE_CAPACITY {
            self.ready.shrink_to(IDLE_CAPACITY);
        }
        Some(entry)
    }

    /// Puts an entry back to its position, marked as redelivered.
    pub(crate) fn requeue(&mut self, mut entry: Entry) {
        entry.order |= 1;
        self.ready_bytes += entry.message.content().body().len();
        let at = self.ready.partition_point(|other| other.order < entry.order);
        self.ready.insert(at, entry);
    }

    /// Drops the messages that are ready; returns how many.
    pub(crate) fn purge(&mut self) -> usize {
        self.ready_bytes = 0;
        std::mem::take(&mut self.ready).len()
    }
}

impl Entry {
    fn new(message: Arc<Message>, order: u64, expires: Moment) -> Self {
        message.memory().charge(PER_ENTRY);
        Self { message, order, expires }
    }

    pub(crate) fn redelivered(&self) -> bool {
        self.order & 1 == 1
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.message.memory().release(PER_ENTRY);
    }
}
