//! Why dead letters cannot be read, replayed or purged any more.

use crate::connection::fault::reason;
use crate::dead_letters::confirmed_sender::{Undelivered, full};

/// Why dead letters cannot be read, replayed or purged any more. Each of them that is not confirmed elsewhere is still in
/// the queue.
#[derive(Debug, thiserror::Error)]
pub enum DeadQueueError {
    /// The connection is gone, or the queue.
    #[error("lost the broker, or the queue `{queue}`: {reason}")]
    Lost {
        /// The queue of dead letters.
        queue: String,
        /// What the broker or the client said.
        reason: String,
    },
    /// The consumer's queue did not take a dead letter.
    #[error("the queue `{queue}` did not take a dead letter back: {reason}")]
    NotTaken {
        /// The consumer's queue.
        queue: String,
        /// What the broker said.
        reason: String,
    },
    /// The user may not send a dead letter back.
    #[error("the broker does not let this user publish to the queue `{queue}`: {reason}")]
    Denied {
        /// The consumer's queue.
        queue: String,
        /// What the broker said.
        reason: String,
    },
    /// The consumer's queue has been full for too long.
    #[error("{0}")]
    Full(String),
}

impl DeadQueueError {
    /// The queue, or the connection, is gone.
    pub(crate) fn lost(queue: &str, error: &lapin::Error) -> Self {
        Self::Lost { queue: queue.to_owned(), reason: reason(error) }
    }

    /// A dead letter did not get into `queue`.
    pub(crate) fn undelivered(queue: &str, undelivered: Undelivered) -> Self {
        let queue = queue.to_owned();
        match undelivered {
            Undelivered::Lost(reason) => Self::Lost { queue, reason },
            Undelivered::Denied(reason) => Self::Denied { queue, reason },
            Undelivered::Refused(reason) => Self::NotTaken { queue, reason },
            Undelivered::Full(tried_for) => Self::Full(full(&queue, tried_for)),
        }
    }
}
