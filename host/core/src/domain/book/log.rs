//! What a book is asked about a log, and what is entered of it.

use crate::domain::{Severity, Timestamp};

/// The position of a log among those of its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OriginPosition {
    /// The number of the origin in this book.
    pub origin: usize,
    /// The log's sequence number.
    pub sequence: u64,
}

/// Whether the book already has a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is not finished; without a position if it has no id of loghost's form.
    New(Option<OriginPosition>),
    /// It is finished.
    Repeated,
}

/// What a finished log is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedAs {
    /// Accepted by the consumer.
    Accepted,
    /// The consumer said not to count it.
    Skipped,
    /// The consumer rejected it, or failed at it: it is among the dead letters.
    Dead,
    /// The filter does not want it: it is among the dead letters.
    Unwanted,
}

/// A log that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishedLog {
    /// Its position among those of its origin, if it has an id of loghost's form.
    pub position: Option<OriginPosition>,
    /// Its severity.
    pub severity: Severity,
    /// Whether nothing said which it is.
    pub undetermined: bool,
    /// Its time.
    pub timestamp: Timestamp,
    /// What it is counted as.
    pub counted_as: CountedAs,
}

impl FinishedLog {
    /// The logs in runs: what follows each other in one origin, and is counted as the same. Most logs come that way, and
    /// a run is entered as fast as a log.
    pub fn runs(logs: &[Self]) -> impl Iterator<Item = &[Self]> {
        logs.chunk_by(|log, next| {
            log.counted_as == next.counted_as
                && log.undetermined == next.undetermined
                && log.position.zip(next.position).is_some_and(|(position, next)| {
                    position.origin == next.origin && position.sequence.checked_add(1) == Some(next.sequence)
                })
        })
    }
}
