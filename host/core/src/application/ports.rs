//! The roles that surround the use cases. An adapter implements each with one technology; no type of a
//! library appears here.

use std::future::Future;

use crate::domain::{
    ConsumerName, Counts, Descriptor, Log, MessageId, Metric, Processed, Record, Severity, Tally, Timestamp,
};

/// What an adapter's library reports.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where one consumer's logs come from.
///
/// A log that was delivered and not acknowledged when the source is dropped, or its connection lost, is
/// delivered again.
pub trait LogSource: Send {
    /// Appends what has arrived to `burst`, at most `max` deliveries (at least 1); waits while there is
    /// none. Nothing is lost if the future is dropped.
    fn receive(
        &mut self,
        burst: &mut Vec<Delivery>,
        max: usize,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Says that `receipt`, and every delivery before it, is finished and need not come again. `receipt`
    /// itself has not been acknowledged before.
    fn acknowledge_through(
        &mut self,
        receipt: Receipt,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Says that this one delivery is finished and need not come again.
    fn acknowledge(&mut self, receipt: Receipt) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Puts the log, as it came, among the consumer's dead letters. Returns when it is safe there; the
    /// delivery itself is still to be acknowledged.
    fn bury(
        &mut self,
        receipt: Receipt,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Ends the source: what is not acknowledged goes back, for whoever comes next.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// The place of a delivery in the order of its source: each is one higher than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub u64);

/// Something that a source delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place.
    pub receipt: Receipt,
    /// What it is.
    pub item: Item,
}

/// What a delivery is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A log.
    Log(Record),
    /// What was sent to mark the end of a scenario.
    Marker,
    /// Something that was not published as a log: the name of the exchange it came through instead.
    Stray(String),
}

/// Why a log goes to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// How it came to this.
    pub cause: Cause,
    /// What the consumer said of it.
    pub reason: String,
    /// How many attempts were made at it.
    pub attempts: u32,
    /// When it was given up.
    pub at: Timestamp,
}

/// How a log came to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The consumer rejected it.
    Rejected,
    /// The consumer wanted to try it again, and it has had all its attempts.
    RetriesExhausted,
}

/// Why nothing more comes from a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The connection is gone.
    #[error("lost the connection to the broker")]
    Lost(#[source] BoxError),
    /// The broker ended the delivery: the queue was deleted, or its node went away.
    #[error("the broker cancelled the consumer of queue {queue}: was the queue deleted?")]
    Cancelled {
        /// The queue that was consumed.
        queue: String,
    },
    /// The broker did not take a dead letter.
    #[error("the broker did not take the dead letter for {queue}: {reason}")]
    DeadLetter {
        /// Where it should have gone.
        queue: String,
        /// What the broker said.
        reason: String,
    },
}

/// Where logs are published. What it hands over is in flight until the broker answers.
pub trait LogSink: Send {
    /// Hands one log over; waits while too many are in flight.
    fn publish(
        &mut self,
        id: &MessageId,
        timestamp: Timestamp,
        log: &Log,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Waits until every log that was handed over has been answered.
    fn flush(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// The answers so far; right also after an error.
    fn receipts(&self) -> Receipts;
}

/// What the broker answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    /// Logs that the broker has taken: they are in every queue that was bound.
    pub confirmed: Tally,
    /// Those of the confirmed logs that no queue wanted.
    pub unroutable: Tally,
    /// Logs that the broker refused.
    pub refused: Tally,
}

/// Why logs cannot be published.
#[derive(Debug, thiserror::Error)]
#[error("cannot publish")]
pub struct SinkError(#[source] pub BoxError);

/// A consumer: the plugin, from the use cases' side.
pub trait Consumer: Send {
    /// What it said when it was configured.
    fn descriptor(&self) -> &Descriptor;

    /// Whether it looks at the logs themselves. If not, [`process`](Self::process) is never called.
    fn processes(&self) -> bool;

    /// Shows it the next logs, or none at a tick.
    fn process(
        &mut self,
        now: Timestamp,
        batch: &[Record],
    ) -> impl Future<Output = Result<Processed, ConsumerError>> + Send;

    /// Has it write its metric.
    fn format_metric(
        &mut self,
        metric: &Metric,
    ) -> impl Future<Output = Result<String, ConsumerError>> + Send;
}

/// A call that did not come to its end, or whose answer breaks the contract. The consumer can be called
/// again: it starts afresh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {reason}")]
pub struct ConsumerError {
    /// The function that was called.
    pub call: &'static str,
    /// What happened.
    pub reason: String,
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Is told the latest timestamp of each batch: a clock that replays a scenario follows it.
    fn witness(&self, _latest: Timestamp) {}
}

/// Who is told what happens to a consumer.
pub trait Reporter: Send {
    /// Shows a metric.
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError>;

    /// Shows that something came through `exchange`, which is none of a severity; said once for each.
    fn stray(&mut self, consumer: &ConsumerName, exchange: &str);

    /// Is told that `finished` logs of the consumer's are done with, and that `held` wait for another
    /// attempt.
    fn progress(&mut self, consumer: &ConsumerName, finished: usize, held: usize);
}

/// A metric, as a consumer wrote it.
#[derive(Debug)]
pub struct Report<'a> {
    /// Whose.
    pub consumer: &'a ConsumerName,
    /// What it was written from.
    pub counts: &'a Counts,
    /// The consumer's own words; or why it has none.
    pub text: Result<String, ConsumerError>,
    /// Whether it is the last of the run.
    pub last: bool,
}

/// A report that cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report")]
pub struct ReportError(#[from] pub BoxError);

impl Receipts {
    /// How many logs were answered.
    pub fn answered(&self) -> u64 {
        self.confirmed.total() + self.refused.total()
    }

    /// Counts a log that the broker has taken.
    pub fn confirm(&mut self, severity: Severity) {
        self.confirmed[severity] += 1;
    }
}
