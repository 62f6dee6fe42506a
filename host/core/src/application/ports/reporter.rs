//! Who is told what happens to a consumer.

use std::time::Duration;

use super::{BoxError, ConsumerError, DeadLettering, SourceError};
use crate::domain::{ConsumerName, Counts, Descriptor, Record};

/// Who is told what happens to a consumer.
pub trait Reporter: Send {
    /// Shows a metric.
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError>;

    /// Shows what a consumer does now.
    fn state(&mut self, consumer: &ConsumerName, state: &State<'_>);

    /// Is told that `finished` logs of the consumer's are done with, and what it has in hand.
    fn progress(&mut self, consumer: &ConsumerName, finished: usize, load: Load);

    /// Is told when a consumer is called for something else than logs, and when it is back: what arrives
    /// meanwhile waits.
    fn aside(&mut self, _consumer: &ConsumerName, _aside: Aside) {}
}

/// What a consumer has in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many logs it has taken that are not acknowledged.
    pub taken: usize,
    /// How many of them wait for another attempt, or to be safe among the dead letters.
    pub held: usize,
}

/// Whether a consumer is called for something else than logs: its metric, or a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// From now on.
    Begins,
    /// No longer.
    Ends,
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
    /// So many logs wait for their next attempt, or to be safe among the dead letters, that it takes no more.
    Paused(usize),
    /// A delivery is not counted, for this reason: the first of its kind in this run.
    NotCounted(&'a str, DeadLettering),
    /// So much was not counted in this run, which ends.
    LeftUncounted(Uncounted, DeadLettering),
    /// It no longer fails.
    Recovered,
    /// Its new version, of this digest, has taken over.
    Reloaded(&'a Descriptor, &'a str),
    /// Its new version cannot take over, and the old one goes on.
    ReloadRefused(&'a ConsumerError),
}

/// How many deliveries of a run were not counted, though the consumer never saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// Messages that were not published as logs.
    pub foreign: u64,
    /// Logs that the consumer's filter does not want.
    pub unwanted: u64,
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
