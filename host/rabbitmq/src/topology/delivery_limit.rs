//! How often a message may be returned to a quorum queue before the broker drops or dead-letters it.
//!
//! The broker counts deliveries whose connection or channel ended, and, depending on its version, messages that were
//! requeued.

use lapin::BasicProperties;
use lapin::types::AMQPValue;

use crate::connection::product::Generation;

/// How often a message may be returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryLimit {
    /// Without a limit.
    None,
    /// No limit is known; a policy may set one.
    Unsaid,
    /// So often.
    At(u32, LimitOrigin),
}

/// Where a limit comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitOrigin {
    /// An argument that the queue was declared with.
    Argument,
    /// The broker's default.
    Default,
    /// A policy of this name, of users or of the operator.
    Policy(String),
}

/// What becomes of a message that is returned more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overrun {
    /// The broker drops it.
    Dropped,
    /// It goes to the consumer's dead letters, at least once.
    DeadLettered,
}

/// The limit that `RabbitMQ` 4 has by default.
const DEFAULT: u32 = 20;

impl DeliveryLimit {
    /// That of a quorum queue that was declared with this argument.
    pub(crate) fn declared(argument: Option<i64>, generation: Generation) -> Self {
        match (argument, generation) {
            (Some(limit @ 0..), _) => {
                Self::At(u32::try_from(limit).unwrap_or(u32::MAX), LimitOrigin::Argument)
            }
            // RabbitMQ 3 accepts it, and drops every message that is returned.
            (Some(_), Generation::RabbitMq3) => Self::At(0, LimitOrigin::Argument),
            (None, Generation::RabbitMq4) => Self::At(DEFAULT, LimitOrigin::Default),
            _ => Self::Unsaid,
        }
    }
}

/// How often a message was returned, as the queue counts.
pub(crate) fn returns(properties: &BasicProperties) -> u64 {
    let count = properties.headers().as_ref().and_then(|headers| headers.inner().get(COUNT));
    match count {
        Some(AMQPValue::LongLongInt(count)) => u64::try_from(*count).unwrap_or_default(),
        Some(AMQPValue::LongInt(count)) => u64::try_from(*count).unwrap_or_default(),
        _ => 0,
    }
}

/// The header that a quorum queue adds to a message that was returned.
pub(crate) const COUNT: &str = "x-delivery-count";
