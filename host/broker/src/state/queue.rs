//! A queue: its messages in order, and whose turn it is among its consumers.
//!
//! Knows positions, so that what comes back goes where it was. Does not know who may take: it asks.

use std::{collections::VecDeque, sync::Arc};

use super::{Connection, arena::Key, channel::Channel, clock::Moment, policy::Policy};
use crate::{
    error::{AmqpError, Code, VIRTUAL_HOST},
    memory::Charge,
    message::Message,
};

/// Room for this many messages is kept when a queue runs empty.
const KEPT_CAPACITY: usize = 4096;
/// What each queue that holds a message adds to its weight.
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
    /// In order of arrival: the first is the single active one.
    consumers: Vec<Consumer>,
    /// Whose turn it is.
    turn: usize,
    /// Of the bodies.
    ready_bytes: usize,
    /// When somebody used it last, where that matters.
    pub(crate) used_at: Moment,
    /// When the clock has it looked at.
    pub(crate) look_at: Moment,
    _charge: Charge,
}

/// What a declaration says about a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueSpec {
    pub(crate) durable: bool,
    pub(crate) exclusive: bool,
    pub(crate) auto_delete: bool,
    pub(crate) consumption: Consumption,
    pub(crate) kind: QueueKind,
    pub(crate) policy: Policy,
}

/// What it is declared as; here there is one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueKind {
    Classic,
    Quorum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumption {
    /// Consumers take turns.
    Shared,
    /// `x-single-active-consumer`: the first gets all until it goes.
    SingleActive,
}

/// A message at its place in a queue, and charged for it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    /// The position, and in the lowest bit whether it was delivered before. Queues are long and
    /// this is what each message costs each of them.
    place: u64,
    expires: Moment,
}

#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) tag: Arc<str>,
    pub(crate) channel: Key<Channel>,
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
    /// The client will.
    Explicit,
    /// `no_ack`: a message is settled when it is sent.
    Automatic,
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

    /// Messages that nobody has.
    pub(crate) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Of the bodies of messages that nobody has.
    pub(crate) fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// When the next message expires.
    pub(crate) fn head_expires(&self) -> Moment {
        self.ready.front().map_or(Moment::NEVER, |entry| entry.expires)
    }

    pub(crate) fn push(&mut self, message: Arc<Message>, expires: Moment) {
        let place = self.next_position << 1;
        self.next_position += 1;
        self.ready_bytes += message.content().body().len();
        self.ready.push_back(Entry::new(message, place, expires));
    }

    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = self.ready.pop_front()?;
        self.ready_bytes -= entry.message.content().body().len();
        if self.ready.is_empty() && self.ready.capacity() > KEPT_CAPACITY {
            self.ready.shrink_to(KEPT_CAPACITY);
        }
        Some(entry)
    }

    /// Puts an entry back where it was, marked as redelivered.
    pub(crate) fn requeue(&mut self, mut entry: Entry) {
        entry.place |= 1;
        self.ready_bytes += entry.message.content().body().len();
        let at = self.ready.partition_point(|other| other.place < entry.place);
        self.ready.insert(at, entry);
    }

    /// Drops what is ready. Says how many those were.
    pub(crate) fn purge(&mut self) -> usize {
        self.ready_bytes = 0;
        std::mem::take(&mut self.ready).len()
    }

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
        // Whoever was next stays next.
        if at < self.turn {
            self.turn -= 1;
        }
        Some(self.consumers.remove(at))
    }

    /// The consumer whose turn it is among those that `may_take`.
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

    /// Whether a declaration asks for what exists.
    pub(crate) fn check_equivalent(&self, declared: &QueueSpec) -> Result<(), AmqpError> {
        let flags = [
            ("durable", declared.durable, self.spec.durable),
            ("auto_delete", declared.auto_delete, self.spec.auto_delete),
        ];
        for (argument, received, current) in flags {
            if received != current {
                let (received, current) = (format!("'{received}'"), format!("'{current}'"));
                return Err(AmqpError::inequivalent(argument, "queue", &self.name, &received, &current));
            }
        }
        if declared.consumption != self.spec.consumption {
            let word = |consumption| match consumption {
                Consumption::Shared => "none",
                Consumption::SingleActive => "the value 'true' of type 'bool'",
            };
            return Err(AmqpError::inequivalent(
                "x-single-active-consumer",
                "queue",
                &self.name,
                &word(declared.consumption),
                &word(self.spec.consumption),
            ));
        }
        if declared.kind != self.spec.kind {
            let word = |kind| match kind {
                QueueKind::Classic => "'classic'",
                QueueKind::Quorum => "'quorum'",
            };
            let (received, current) = (word(declared.kind), word(self.spec.kind));
            return Err(AmqpError::inequivalent("x-queue-type", "queue", &self.name, &received, &current));
        }
        self.spec.policy.check_equivalent(&self.name, &declared.policy)
    }
}

impl Entry {
    fn new(message: Arc<Message>, place: u64, expires: Moment) -> Self {
        message.memory().charge(PER_ENTRY);
        Self { message, place, expires }
    }

    pub(crate) fn redelivered(&self) -> bool {
        self.place & 1 == 1
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.message.memory().release(PER_ENTRY);
    }
}

impl Consumer {
    /// Whether its prefetch leaves room for one more.
    pub(crate) fn has_credit(&self) -> bool {
        self.acknowledgement == Acknowledgement::Automatic
            || self.prefetch == 0
            || self.in_flight < u32::from(self.prefetch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory::Memory, message::Content};

    fn queue(consumption: Consumption) -> Queue {
        let spec = QueueSpec {
            durable: false,
            exclusive: false,
            auto_delete: false,
            consumption,
            kind: QueueKind::Classic,
            policy: Policy::NONE,
        };
        Queue::new("q".into(), spec, None, charge())
    }

    fn charge() -> Charge {
        Charge::new(&Arc::new(Memory::new(usize::MAX)), &[]).unwrap()
    }

    fn filled(bodies: &[&str]) -> Queue {
        let memory = Arc::new(Memory::new(usize::MAX));
        let mut queue = queue(Consumption::Shared);
        for body in bodies {
            let message = Message::new("".into(), Content::of("q", body), &memory);
            queue.push(Arc::new(message), Moment::NEVER);
        }
        queue
    }

    #[track_caller]
    fn check_contents(queue: &mut Queue, expected: &[(&str, bool)]) {
        for (body, redelivered) in expected {
            let entry = queue.pop().unwrap();
            assert_eq!(entry.message.content().body(), body.as_bytes());
            assert_eq!(entry.redelivered(), *redelivered, "{body}");
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn requeued_entries_return_to_their_places() {
        let mut queue = filled(&["a", "b", "c", "d", "e"]);
        let mut pop = || queue.pop().unwrap();
        let (a, _settled, c, d) = (pop(), pop(), pop(), pop());
        for entry in [d, a, c] {
            queue.requeue(entry);
        }
        check_contents(&mut queue, &[("a", true), ("c", true), ("d", true), ("e", false)]);
    }

    fn consumer(id: u64, exclusive: bool) -> Consumer {
        Consumer {
            id: ConsumerId(id),
            tag: id.to_string().into(),
            channel: Key::dangling(),
            acknowledgement: Acknowledgement::Explicit,
            exclusive,
            prefetch: 0,
            in_flight: 0,
            _charge: charge(),
        }
    }

    fn turns(queue: &mut Queue, count: usize) -> Vec<u64> {
        (0..count).filter_map(|_| queue.next_consumer(|_| true).map(|consumer| consumer.id.0)).collect()
    }

    #[test]
    fn consumers_take_turns() {
        let mut queue = queue(Consumption::Shared);
        assert!(queue.next_consumer(|_| true).is_none());
        for id in 1..=3 {
            queue.add_consumer(consumer(id, false)).unwrap();
        }
        assert_eq!(turns(&mut queue, 4), [1, 2, 3, 1]);
        let busy = queue.next_consumer(|consumer| consumer.id.0 != 2);
        assert_eq!(busy.unwrap().id.0, 3, "2 is passed over");
        queue.remove_consumer(ConsumerId(1));
        assert_eq!(turns(&mut queue, 3), [2, 3, 2]);
    }

    #[test]
    fn a_single_active_consumer_is_followed_by_the_next() {
        let mut queue = queue(Consumption::SingleActive);
        for id in 1..=3 {
            queue.add_consumer(consumer(id, false)).unwrap();
        }
        assert_eq!(turns(&mut queue, 3), [1, 1, 1]);
        assert!(
            queue.next_consumer(|consumer| consumer.id.0 != 1).is_none(),
            "the others stand by, whatever the active one has room for"
        );
        queue.remove_consumer(ConsumerId(1));
        assert_eq!(turns(&mut queue, 2), [2, 2]);
    }

    #[test]
    fn an_exclusive_consumer_is_alone() {
        let mut queue = queue(Consumption::Shared);
        queue.add_consumer(consumer(1, true)).unwrap();
        assert!(queue.add_consumer(consumer(2, false)).is_err());
        queue.remove_consumer(ConsumerId(1));
        queue.add_consumer(consumer(2, false)).unwrap();
        assert!(queue.add_consumer(consumer(3, true)).is_err());
    }
}
