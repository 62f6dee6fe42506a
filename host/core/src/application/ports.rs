//! The roles that surround the use cases. An adapter implements each with one technology; no type of a
//! library appears here.

use std::future::Future;
use std::time::Duration;

use super::journal::Confirmed;
use crate::domain::{
    Book, Changes, ConsumerName, Counts, Descriptor, Filter, Log, MessageId, Metric, Processed, Record,
    Severity, Tally, Timestamp, printable_line,
};

/// What an adapter's library reports.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What opens the source of one consumer, at the start and again after each loss.
pub trait Intake: Send {
    /// What it opens.
    type Source: LogSource;

    /// Makes sure that there is a queue which gets what `descriptor` wants, and begins to take from it. What
    /// only the filter `former` wanted does not come any more. Waits while the broker is away, as long as
    /// its patience allows, and says what it waits for.
    fn open(
        &mut self,
        descriptor: &Descriptor,
        reads: Reads,
        former: Option<&Filter>,
    ) -> impl Future<Output = Result<Self::Source, SourceError>> + Send;
}

/// Which part of the logs is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// What they are counted by.
    Counts,
    /// All of them; some may become dead letters.
    Logs,
}

impl Reads {
    /// What `consumer` looks at.
    pub fn of(consumer: &impl Consumer) -> Self {
        if consumer.processes() { Self::Logs } else { Self::Counts }
    }
}

/// Where one consumer's logs come from.
///
/// A log that was delivered and not acknowledged when the source is dropped, or its connection lost, is
/// delivered again.
pub trait LogSource: Send {
    /// Appends what has arrived to `burst`, at most `max` deliveries (at least 1); waits while there is
    /// none, and returns also when its [standing](Self::standing) has changed. Nothing is lost if the future
    /// is dropped.
    fn receive(
        &mut self,
        burst: &mut Vec<Delivery>,
        max: usize,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Whether it is this source that gets the consumer's logs.
    fn standing(&self) -> Standing;

    /// Says that `receipt`, and every delivery before it, is finished and need not come again. `receipt`
    /// itself has not been acknowledged before.
    fn acknowledge_through(
        &mut self,
        receipt: Receipt,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Says that this one delivery is finished and need not come again.
    fn acknowledge(&mut self, receipt: Receipt) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Puts the log, as it came, among the consumer's dead letters. The future is ready when it is safe
    /// there; the delivery itself is still to be acknowledged.
    fn bury(
        &mut self,
        receipt: Receipt,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<Self>;

    /// Goes on for a consumer that wants other logs than before: what only the filter `former` wanted does
    /// not come any more.
    fn adjust(
        &mut self,
        descriptor: &Descriptor,
        reads: Reads,
        former: Option<&Filter>,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Ends the source: what is not acknowledged goes back, for whoever comes next.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// Who gets the logs of a queue that several hosts consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This one.
    Active,
    /// Another one; this one takes over when that has gone.
    StandingBy,
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
    /// What the consumer said of it, or how it failed.
    pub reason: String,
    /// Where in the consumer's code it failed, one frame a line.
    pub backtrace: Option<String>,
    /// How many attempts were made at it.
    pub attempts: u32,
    /// When it was given up.
    pub at: Timestamp,
    /// The version of the consumer.
    pub version: String,
    /// SHA-256 of the consumer's code.
    pub digest: String,
}

/// How a log came to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The consumer rejected it.
    Rejected,
    /// The consumer wanted to try it again, and it has had all its attempts.
    RetriesExhausted,
    /// The consumer failed at it, whenever it was given it alone.
    Trapped,
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
    /// There is no broker, and patience is at its end.
    #[error(transparent)]
    Unavailable(BoxError),
    /// The broker says no, and would say so again.
    #[error(transparent)]
    Refused(BoxError),
}

impl SourceError {
    /// Whether the source may be opened again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Cancelled { .. } | Self::DeadLetter { .. })
    }
}

/// Where the book of one consumer is kept.
pub trait Ledger: Send {
    /// What was committed; asked for once, before the first commit.
    fn load(&mut self) -> impl Future<Output = Result<Saved, LedgerError>> + Send;

    /// Keeps all of it or nothing. When the future is ready it is safe. Commits take effect in the order in
    /// which they were handed over; at most one is under way.
    fn commit(&mut self, commit: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<Self>;
}

/// What a ledger keeps of a consumer.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// Its counts, and which logs are in them.
    pub book: Book,
    /// What it keeps itself.
    pub checkpoint: Option<Vec<u8>>,
    /// What it wanted.
    pub filter: Option<Filter>,
}

/// What is committed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What changed in the book.
    pub changes: Changes,
    /// What the consumer keeps itself, if it has changed.
    pub checkpoint: Option<Vec<u8>>,
    /// What it wants, if that has changed.
    pub filter: Option<Filter>,
}

/// A book that cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the state")]
pub struct LedgerError(#[from] pub BoxError);

/// Where logs are published. What it hands over is in flight until the broker answers.
pub trait LogSink: Send {
    /// Hands one log over; waits while too many are in flight. It has been handed over also when the
    /// future is dropped.
    fn publish(
        &mut self,
        id: &MessageId,
        timestamp: Timestamp,
        log: &Log,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Waits until every log that was handed over has been answered. Nothing is lost if the future is
    /// dropped.
    fn flush(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// The answers so far; right also after an error.
    fn receipts(&self) -> Receipts;

    /// Takes out which logs have been confirmed since this was last called.
    fn take_confirmed(&mut self) -> Confirmed;
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

    /// Whether it keeps something of its own between logs. If not, [`save`](Self::save) and
    /// [`restore`](Self::restore) are never called.
    fn keeps_state(&self) -> bool;

    /// SHA-256 of its code, in hexadecimal.
    fn digest(&self) -> &str;

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

    /// What it keeps, as bytes. After a failure it goes on from what was saved or restored last.
    fn save(&mut self) -> impl Future<Output = Result<Vec<u8>, ConsumerError>> + Send;

    /// Starts it afresh with this state; without one, as it is when it has just been configured. After an
    /// error it goes on from what was saved or restored last; if it refused the state, the reason is its
    /// own words, and there is no backtrace.
    fn restore(&mut self, state: Option<&[u8]>) -> impl Future<Output = Result<(), ConsumerError>> + Send;
}

/// A call that did not come to its end, or whose answer breaks the contract. The consumer can be called
/// again: it starts afresh, with what was saved or restored last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {}", printable_line(.reason))]
pub struct ConsumerError {
    /// The function that was called.
    pub call: &'static str,
    /// What happened; may be the consumer's own words.
    pub reason: String,
    /// Where in its code, one frame a line; none if it did not trap.
    pub backtrace: Option<String>,
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

    /// Shows what a consumer does now.
    fn state(&mut self, consumer: &ConsumerName, state: &State<'_>);

    /// Is told that `finished` logs of the consumer's are done with, and that `held` wait for another
    /// attempt.
    fn progress(&mut self, consumer: &ConsumerName, finished: usize, held: usize);
}

/// What a consumer does.
#[derive(Debug)]
pub enum State<'a> {
    /// It takes its logs.
    Consuming,
    /// Another host takes its logs.
    StandingBy,
    /// Its source was lost, and is opened again.
    Reopening(&'a SourceError),
    /// It failed: at this log, which goes to the dead letters, or at a tick.
    Failed(&'a ConsumerError, Option<&'a Record>),
    /// It failed too often: its queue is left as it is, and one log is tried after this time.
    Stopped(&'a ConsumerError, Duration),
    /// It no longer fails.
    Recovered,
    /// Its new version, of this digest, has taken over.
    Reloaded(&'a Descriptor, &'a str),
    /// Its new version cannot take over, and the old one goes on.
    ReloadRefused(&'a ConsumerError),
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
