//! Where a consumer's logs come from.

use std::future::Future;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::{BoxError, Consumer, DeadLettering, DeadLetters, SinkError};
use crate::domain::{Descriptor, Filter, Fingerprint, Position, Record, RemovedOffsets, StreamPosition};

/// What opens the source of one consumer, at the start and again after each loss.
pub trait SourceFactory: Send {
    /// What it opens.
    type Source: LogSource + 'static;

    /// Where goes what is not counted.
    type DeadLetters: DeadLetters<Original = <Self::Source as LogSource>::Original> + 'static;

    /// Makes sure that there is something to take from, and begins to take. When the source is
    /// [active](ConsumerActivity::Active), and not before, it changes what comes to what the subscription says. Waits
    /// while the broker is away, as long as it may, and says what it waits for.
    fn open(
        &mut self,
        subscription: Subscription<'_>,
    ) -> impl Future<Output = Result<Opened<Self::Source, Self::DeadLetters>, SourceError>> + Send;
}

/// What a consumer takes.
#[derive(Clone, Copy, Debug)]
pub struct Subscription<'a> {
    /// Who it is, and which logs it wants.
    pub descriptor: &'a Descriptor,
    /// Which part of them is looked at.
    pub reads: Reads,
    /// What it wanted before: what only this filter wants does not come any more.
    pub former: Option<&'a Filter>,
    /// Where to go on in what keeps its logs.
    pub offsets: &'a [NextOffset],
}

/// Where to go on in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextOffset {
    /// The name of the stream.
    pub stream: Arc<str>,
    /// The first [position](crate::domain::StreamPosition) that is not finished. Some behind it may be.
    pub offset: u64,
    /// What the stream is recognised by, if that is known.
    pub fingerprint: Option<Fingerprint>,
}

impl NextOffset {
    /// The offset of the first log that is not finished.
    pub fn of_log(&self) -> u64 {
        self.offset.saturating_sub(1)
    }
}

/// A source, and where goes what of it is not counted.
#[derive(Debug)]
pub struct Opened<S, D> {
    /// The source.
    pub source: S,
    /// Its dead letters.
    pub dead_letters: DeadLettering<D>,
    /// Where it begins in streams of which the subscription has no offset: to be committed before anything else.
    pub begins: Vec<StreamPosition>,
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
    /// A delivery, as it came; cheap to clone.
    type Original: Clone + Send;

    /// Appends what has arrived to `burst`, at most `max` deliveries (at least 1); waits while there is
    /// none, and returns also when its [activity](Self::activity) has changed. Nothing is lost if the future
    /// is dropped.
    fn receive(
        &mut self,
        burst: &mut Vec<Delivery<Self::Original>>,
        max: usize,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Whether it is this source that gets the consumer's logs. While it is not, it changes nothing of what
    /// comes; nothing is received before it is, and does.
    fn activity(&self) -> ConsumerActivity;

    /// How many deliveries it hands out at most before some of them are acknowledged, at the moment; none where that is
    /// what the consumer was configured with.
    fn most_unacknowledged(&self) -> Option<usize> {
        None
    }

    /// Says that the delivery at `position`, and every one before it in its sequence, is finished and need not come
    /// again. The one at `position` has not been acknowledged before.
    fn acknowledge_through(
        &mut self,
        position: Position,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Says that this one delivery is finished and need not come again.
    fn acknowledge(&mut self, position: Position) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Goes on for a consumer that wants other logs than before: as soon as it is active, what comes is what the
    /// subscription says. A source may have to be opened again for one that reads more of them than before.
    fn adjust(
        &mut self,
        subscription: Subscription<'_>,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Ends the source: what is not acknowledged goes back, for whoever comes next.
    fn close(self, next: Next) -> impl Future<Output = ()> + Send;
}

/// Who comes after a source that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Any host that stands by.
    Any,
    /// This host, which opens the source again at once: no other takes over.
    Same,
}

/// Who gets the logs where several hosts want those of one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerActivity {
    /// This one.
    Active,
    /// Another one; this one takes over when that has gone.
    StandingBy,
}

/// Something that a source delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<O> {
    /// Where it stands.
    pub position: Position,
    /// What it is.
    pub item: Item,
    /// What a dead letter of it would be made of; none where it is not read whole.
    pub original: Option<O>,
}

/// What a delivery is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A log.
    Log(Record),
    /// The logs that were found in a message, in their order. Who sent it knows no filter: what the consumer does not want
    /// is passed by, and no dead letter.
    Logs(Vec<Record>),
    /// What was sent to mark the end of a scenario.
    Marker,
    /// A message that was not published as a log: how it came instead.
    Foreign(String),
    /// A message that the broker could not deliver, and that was taken out of the queue another way: how.
    Undeliverable(String),
    /// Nothing: all that is before and at this position in a stream is behind the consumer, which does not want it.
    Passed,
    /// Nothing: these offsets were removed before they were read. The position is that of the last one.
    Removed(RemovedOffsets),
}

impl Item {
    /// The logs in it.
    pub fn records(&self) -> &[Record] {
        match self {
            Self::Log(record) => slice::from_ref(record),
            Self::Logs(records) => records,
            Self::Marker | Self::Foreign(_) | Self::Undeliverable(_) | Self::Passed | Self::Removed(_) => &[],
        }
    }

    /// Whether there is more in it than a position.
    pub fn is_message(&self) -> bool {
        match self {
            Self::Log(_) | Self::Logs(_) | Self::Marker | Self::Foreign(_) | Self::Undeliverable(_) => true,
            Self::Passed | Self::Removed(_) => false,
        }
    }
}

/// Why nothing more comes from a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The connection is gone.
    #[error("lost the connection to the broker")]
    Lost(#[source] BoxError),
    /// The broker ended the delivery: what was read is gone, or its node went away.
    #[error(transparent)]
    Cancelled(BoxError),
    /// Messages are needed whole now, and of what was delivered nobody has read more than it is counted by.
    #[error("needs its messages whole from now on")]
    Unread,
    /// What it reads from is to be another selection, and what is in hand has to be finished before.
    #[error("reads other streams from now on")]
    Reselected,
    /// It has delivered what it was opened for, which has to be finished before it is opened for what comes next.
    #[error("has delivered what it was opened for")]
    Exhausted,
    /// The broker did not take a dead letter.
    #[error(transparent)]
    DeadLetter(BoxError),
    /// The broker has not taken what the consumer publishes.
    #[error("the broker has not taken the logs that it publishes within {}s: the batch comes again", .0.as_secs_f64())]
    Unpublished(Duration),
    /// The user may not publish what the consumer publishes, and could before.
    #[error("may not publish any more: the batch comes again")]
    Unpublishable(#[source] SinkError),
    /// The broker cannot give what the consumer needs at the moment: its node is down, or a limit is reached.
    #[error("cannot be opened yet")]
    NotReady(#[source] BoxError),
    /// What may pass has not passed within the time that was given; this concerns no other consumer.
    #[error(transparent)]
    GivenUp(BoxError),
    /// There was no broker within the time that was given.
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
            | Self::Cancelled(_)
            | Self::Unread
            | Self::Reselected
            | Self::Exhausted
            | Self::DeadLetter(_)
            | Self::Unpublished(_)
            | Self::Unpublishable(_)
            | Self::NotReady(_) => true,
            Self::GivenUp(_) | Self::Unavailable(_) | Self::Refused(_) => false,
        }
    }
}
