//! How the queues of a run are declared, and what is said of each of them, once.

use lapin::BasicProperties;
use loghost_core::application::{Notice, Tell};

use crate::topology::delivery_limit::{self, DeliveryLimit, warning};
use crate::topology::inspection::{Binding, list};
use crate::topology::known_queues::Queues;

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

/// How queues are declared.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// How long a consumer's queue exists.
    pub lifetime: Lifetime,
    /// What named queues and those of dead letters are declared as; exclusive ones are always classic.
    pub queue_type: QueueType,
    /// Stores what is found out about them.
    pub known: Queues,
    /// Is told of existing queues with other arguments.
    pub tell: Tell,
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
    /// Nothing is known of any queue yet.
    pub fn new(lifetime: Lifetime, queue_type: QueueType, tell: Tell) -> Self {
        Self { lifetime, queue_type, known: Queues::default(), tell }
    }

    /// Whether the broker itself may dead-letter messages of a consumer's queue.
    pub(crate) fn needs_dead_letters(&self) -> bool {
        self.lifetime == Lifetime::Named && self.queue_type == QueueType::Quorum
    }

    /// Tells of the limit that a queue has, unless that was told before.
    pub fn tell_limit(&self, queue: &str, limit: &DeliveryLimit) {
        if *limit != DeliveryLimit::Unsaid
            && let Some(queue) = self.known.note_limit(queue, limit)
            && let DeliveryLimit::At(limit, origin) = limit
        {
            (self.tell)(&Notice::warning(&warning(&queue.name, *limit, origin, queue.overrun)));
        }
    }

    /// Tells, once, that the user may not bind a queue, and which `new` bindings it should have.
    pub(crate) fn tell_unbound(&self, queue: &str, new: &[Binding]) {
        if !self.known.note_unbound(queue, new) {
            return;
        }
        if new.is_empty() {
            let text = format!("the queue `{queue}` is used as it is bound: the user may not bind it");
            (self.tell)(&Notice::info(&text));
        } else {
            (self.tell)(&Notice::warning(&format!(
                "the user may not bind the queue `{queue}` to {}: such logs arrive when somebody who may has bound it \
                 (`loghost run PLUGIN --declare-only`)",
                list(new)
            )));
        }
    }

    /// Tells, once, of a message that was returned so often that a limit may be near.
    pub(crate) fn note_returns(&self, queue: &str, properties: &BasicProperties) {
        let returns = delivery_limit::returns(properties);
        if returns >= TOLD_FROM
            && let Some(queue) = self.known.note_returns(queue)
        {
            (self.tell)(&Notice::warning(&format!(
                "a log of the queue {} has come back {returns} times: should a policy set a delivery limit, {}",
                queue.name, queue.overrun
            )));
        }
    }
}

/// A message that was returned so often is told of.
const TOLD_FROM: u64 = 2;
