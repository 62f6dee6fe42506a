//! What a queue was declared with, and whether another declaration agrees with it.

use crate::{error::AmqpError, state::policy::Policy};

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

/// The type that it was declared with. Both behave the same here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueKind {
    Classic,
    Quorum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumption {
    /// Consumers take turns.
    Shared,
    /// `x-single-active-consumer`: only the first consumer gets messages.
    SingleActive,
}

impl QueueSpec {
    /// Whether a declaration asks for what exists.
    pub(crate) fn check_equivalent(&self, queue: &str, declared: &QueueSpec) -> Result<(), AmqpError> {
        let flags = [
            ("durable", declared.durable, self.durable),
            ("auto_delete", declared.auto_delete, self.auto_delete),
        ];
        for (argument, received, current) in flags {
            if received != current {
                let (received, current) = (format!("'{received}'"), format!("'{current}'"));
                return Err(AmqpError::inequivalent(argument, "queue", queue, &received, &current));
            }
        }
        if declared.consumption != self.consumption {
            let word = |consumption| match consumption {
                Consumption::Shared => "none",
                Consumption::SingleActive => "the value 'true' of type 'bool'",
            };
            return Err(AmqpError::inequivalent(
                "x-single-active-consumer",
                "queue",
                queue,
                &word(declared.consumption),
                &word(self.consumption),
            ));
        }
        if declared.kind != self.kind {
            let word = |kind| match kind {
                QueueKind::Classic => "'classic'",
                QueueKind::Quorum => "'quorum'",
            };
            let (received, current) = (word(declared.kind), word(self.kind));
            return Err(AmqpError::inequivalent("x-queue-type", "queue", queue, &received, &current));
        }
        self.policy.check_equivalent(queue, &declared.policy)
    }
}
