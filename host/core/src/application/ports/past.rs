//! Logs of the past, and who is told what comes of them.

use std::future::Future;
use std::sync::Arc;

use super::{Cause, ReportError, SourceError};
use crate::domain::{ConsumerName, Log, Record, Severity};

/// A span of what keeps its logs, which is read once from its beginning to its end. Whoever reads the same span again
/// gets the same logs in the same order.
pub trait PastLogs: Send {
    /// Appends the next logs to `logs`, at most `max` (at least 1), and less only where the span ends: nothing is left if
    /// nothing was appended. Nothing is lost if the future is dropped.
    fn next(
        &mut self,
        logs: &mut Vec<PastLog>,
        max: usize,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// How much of the span was read.
    fn extent(&self) -> Extent;
}

/// How much of a span was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The offsets that are read, of all streams together.
    pub read: u64,
    /// The offsets that there are in the span. Some may have nothing.
    pub total: u64,
}

/// What stands at an offset of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastLog {
    /// Where.
    pub position: PastPosition,
    /// The log; or how the message came, if it is none.
    pub log: Result<Record, String>,
}

/// An offset in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastPosition {
    /// The severity of the stream's logs; none if each says it itself.
    pub severity: Option<Severity>,
    /// The name of the stream.
    pub stream: Arc<str>,
    /// The offset.
    pub offset: u64,
}

/// Is told what comes of the logs of the past while they are replayed.
pub trait ReplayObserver: Send {
    /// A log is not counted. It would be a dead letter.
    fn not_counted(&mut self, log: &NotCounted<'_>) -> Result<(), ReportError>;

    /// Two consumers differ in what they make of a log.
    fn differs(&mut self, difference: &Difference<'_>) -> Result<(), ReportError>;

    /// This much was read.
    fn progress(&mut self, extent: Extent);
}

/// A log that a consumer does not count.
#[derive(Clone, Copy, Debug)]
pub struct NotCounted<'a> {
    /// Whose.
    pub consumer: &'a ConsumerName,
    /// Where it stands.
    pub position: &'a PastPosition,
    /// The log, if it is one.
    pub record: Option<&'a Record>,
    /// How it came to this.
    pub cause: Cause,
    /// What the consumer said of it, or how it failed.
    pub reason: &'a str,
    /// How many attempts were made at it.
    pub attempts: u32,
}

/// A log that two consumers make different things of.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    /// Where it stands.
    pub position: &'a PastPosition,
    /// The log, if it is one.
    pub record: Option<&'a Record>,
    /// What they make of it.
    pub answers: [&'a Answer; 2],
}

/// What a consumer makes of a log.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What it is counted as.
    pub fate: Fate,
    /// How many attempts were made at it.
    pub attempts: u32,
    /// What it publishes because of it; known where it gets one log at a time.
    pub publishes: Vec<Log>,
}

/// What becomes of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// The consumer's filter does not want it.
    #[default]
    Unwanted,
    /// The consumer was stopped before it was shown it.
    Unseen,
    /// It was counted before.
    Repeated,
    /// It counts.
    Accepted,
    /// The consumer said not to count it.
    Skipped,
    /// It would be a dead letter: why, and what was said of it.
    Dead(Cause, String),
}

impl PartialEq for Answer {
    /// How a consumer fails is no answer: its words differ between builds of the same code.
    fn eq(&self, other: &Self) -> bool {
        let is_same = match (&self.fate, &other.fate) {
            (Fate::Dead(Cause::Trapped, _), Fate::Dead(Cause::Trapped, _)) => true,
            (one, other) => one == other,
        };
        is_same && self.attempts == other.attempts && self.publishes == other.publishes
    }
}
