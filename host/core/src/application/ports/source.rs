//! Where a consumer's logs come from, and where those go that are not counted.

use std::future::Future;
use std::time::Duration;

use super::{BoxError, Consumer, SinkError};
use crate::domain::{Descriptor, Filter, Record, Timestamp};

/// What opens the source of one consumer, at the start and again after each loss.
pub trait SourceFactory: Send {
    /// What it opens.
    type Source: LogSource + 'static;

    /// Makes sure that there is a queue, and begins to take from it. When the source is
    /// [active](ConsumerActivity::Active), and not before, the queue gets what `descriptor` wants, and what only the
    /// filter `former` wanted does not come any more. Waits while the broker is away, as long as its patience
    /// allows, and says what it waits for.
    fn open(
        &mut self,
        descriptor: &Descriptor,
        reads: Reads,
        former: Option<&Filter>,
    ) -> impl Future<Output = Result<Self::Source, SourceError>> + Send;
}

/// Which part of the logs is looked at; more and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reads {
    /// What they are counted by.
    Counts,
    /// All of them: the consumer looks at them, or some of them go to the dead letters.
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

    /// Whether a delivery can go to the dead letters.
    fn dead_lettering(&self) -> DeadLettering;

    /// Whether it is this source that gets the consumer's logs. While it is not, it changes nothing of what
    /// comes; nothing is received before it is, and does.
    fn standing(&self) -> ConsumerActivity;

    /// Says that `receipt`, and every delivery before it, is finished and need not come again. `receipt`
    /// itself has not been acknowledged before.
    fn acknowledge_through(
        &mut self,
        receipt: Receipt,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Says that this one delivery is finished and need not come again.
    fn acknowledge(&mut self, receipt: Receipt) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Puts the delivery, as it came, among the consumer's dead letters. The future is ready when it is safe
    /// there; the delivery itself is still to be acknowledged. Where [there are none](DeadLettering::None), it is
    /// ready at once.
    fn dead_letter(
        &mut self,
        receipt: Receipt,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<Self>;

    /// Goes on for a consumer that wants other logs than before: as soon as it is active, what only the filter
    /// `former` wanted does not come any more. A source may have to be opened again for one that reads more of
    /// them than before.
    fn adjust(
        &mut self,
        descriptor: &Descriptor,
        reads: Reads,
        former: Option<&Filter>,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Ends the source: what is not acknowledged goes back, for whoever comes next.
    fn close(&mut self, next: Next) -> impl Future<Output = ()> + Send;
}

/// Who comes after a source that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Any host that stands by.
    Any,
    /// This host, which opens the source again at once: no other takes over.
    Same,
}

/// Whether what is not counted can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLettering {
    /// It goes to the dead letters.
    Ready,
    /// It would, but this source does not read it whole, as one does that is opened for
    /// [all of the logs](Reads::Logs).
    Unread,
    /// There are none: what comes is a copy, which ends with the source.
    None,
}

/// Who gets the logs of a queue that several hosts consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerActivity {
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
    /// A message that was not published as a log: how it came instead.
    Foreign(String),
}

/// Why a delivery goes to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// How it came to this.
    pub cause: Cause,
    /// What the consumer said of it, or how it failed; or why it was not shown to the consumer.
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

/// How a delivery came to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The consumer rejected it.
    Rejected,
    /// The consumer wanted to try it again, and it has had all its attempts.
    RetriesExhausted,
    /// The consumer failed at it, whenever it was given it alone.
    Trapped,
    /// It was not published as a log, and not shown to the consumer.
    Foreign,
    /// The consumer's filter does not want such logs, and it was not shown to the consumer.
    Unwanted,
    /// It has come through too many consumers that publish, and was not shown to this one.
    Looped,
    /// Nobody gave it up: where it waited it was taken out, as having come back too often.
    Dropped,
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
    /// Messages are needed whole now, and of what was delivered nobody has read more than it is counted by.
    #[error("needs its messages whole from now on")]
    Unread,
    /// A dead letter has come back: there is no queue for it.
    #[error("the broker did not take the dead letter for {queue}: {reason}")]
    DeadLetter {
        /// Where it should have gone.
        queue: String,
        /// What the broker said.
        reason: String,
    },
    /// The broker has not taken what the consumer publishes.
    #[error("the broker has not taken the logs that it publishes within {}s: the batch comes again", .0.as_secs_f64())]
    Unpublished(Duration),
    /// The user may not publish what the consumer publishes, and could before.
    #[error("may not publish any more: the batch comes again")]
    Unpublishable(#[source] SinkError),
    /// The broker cannot give what the consumer needs at the moment: its queue is on a node that is down, or a
    /// limit is reached.
    #[error("cannot be opened yet")]
    NotReady(#[source] BoxError),
    /// What passes has not passed, and patience is at its end; this concerns no other consumer.
    #[error(transparent)]
    GivenUp(BoxError),
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
        match self {
            Self::Lost(_)
            | Self::Cancelled { .. }
            | Self::Unread
            | Self::DeadLetter { .. }
            | Self::Unpublished(_)
            | Self::Unpublishable(_)
            | Self::NotReady(_) => true,
            Self::GivenUp(_) | Self::Unavailable(_) | Self::Refused(_) => false,
        }
    }
}
