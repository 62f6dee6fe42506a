//! How the queues of a run are declared, and what is told of each of them, once.

use lapin::BasicProperties;

use crate::connection::open::Connection;
use crate::topology::delivery_limit::{self, DeliveryLimit};
use crate::topology::event::TopologyEvent;
use crate::topology::inspection::Binding;
use crate::topology::known_queues::{KnownQueue, Queues};

/// The type of a queue, by `RabbitMQ`'s names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueType {
    /// On one node.
    #[default]
    Classic,
    /// Replicated to several nodes, by consensus.
    Quorum,
}

/// How long a consumer's queue exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// `loghost.<name>`: until somebody deletes it; one active consumer at a time.
    Named,
    /// As long as the connection; the broker names it.
    Exclusive,
}

/// How much an exclusive queue holds, for a reader who may miss something: beyond that, the broker drops the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The most messages.
    pub messages: u32,
    /// The most bytes of their bodies.
    pub bytes: u32,
}

/// How queues are declared.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// How long a consumer's queue exists.
    pub lifetime: Lifetime,
    /// What named queues and those of dead letters are declared as; exclusive ones are always classic.
    pub queue_type: QueueType,
    /// How much an exclusive queue holds; none if that is not limited.
    pub bound: Option<Bound>,
    /// Stores what is found out about them.
    pub known: Queues,
}

impl QueueType {
    /// Its name in declarations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }

    pub(crate) fn find(name: &[u8]) -> Option<Self> {
        [Self::Classic, Self::Quorum].into_iter().find(|queue_type| queue_type.as_str().as_bytes() == name)
    }
}

impl QueueOptions {
    /// Nothing is known of any queue yet, and none is bounded.
    pub fn new(lifetime: Lifetime, queue_type: QueueType) -> Self {
        Self { lifetime, queue_type, bound: None, known: Queues::default() }
    }

    /// Exclusive queues that hold no more than `bound`.
    pub fn bounded(bound: Bound) -> Self {
        Self { bound: Some(bound), ..Self::new(Lifetime::Exclusive, QueueType::Classic) }
    }

    /// Whether the broker itself may dead-letter messages of a consumer's queue.
    pub(crate) fn needs_dead_letters(&self) -> bool {
        self.lifetime == Lifetime::Named && self.queue_type == QueueType::Quorum
    }

    /// Tells of the limit that a queue has, unless that was told before.
    pub fn tell_limit(&self, connection: &Connection, queue: &str, limit: &DeliveryLimit) {
        if *limit != DeliveryLimit::Unsaid
            && let Some(KnownQueue { name: queue, overrun, .. }) = self.known.note_limit(queue, limit)
            && let DeliveryLimit::At(limit, origin) = limit.clone()
        {
            connection.tell(None, &TopologyEvent::DeliveryLimit { queue, limit, origin, overrun });
        }
    }

    /// Tells, once, that the user may not bind a queue, and which `new` bindings it should have.
    pub(crate) fn tell_unbound(&self, connection: &Connection, queue: &str, new: Vec<Binding>) {
        if self.known.note_unbound(queue, &new) {
            connection.tell(None, &TopologyEvent::BindingDenied { queue: queue.to_owned(), new });
        }
    }

    /// Tells, once, of a message that was returned so often that a limit may be near.
    pub(crate) fn note_returns(&self, connection: &Connection, queue: &str, properties: &BasicProperties) {
        let returns = delivery_limit::returns(properties);
        if returns >= TOLD_FROM
            && let Some(KnownQueue { name: queue, overrun, .. }) = self.known.note_returns(queue)
        {
            connection.tell(None, &TopologyEvent::Returned { queue, returns, overrun });
        }
    }
}

/// A message that was returned so often is told of.
const TOLD_FROM: u64 = 2;
