//! What happens while logs are consumed, as data: for whoever shows it, counts it, or waits for it.

use std::time::Duration;

use super::{Cause, ConsumerError, DeadLettering, Notice, SourceError};
use crate::domain::{ConsumerName, Counts, Descriptor, Record};

/// Is told what happens. Several may be told of one event; none may wait for anything.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn observe(&self, event: &Event<'_>);
}

/// Something that happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// To a consumer.
    Consumer(&'a ConsumerName, ConsumerEvent<'a>),
    /// Something that the operator is told, and nothing else depends on.
    Notice(Notice<'a>),
}

/// What happens to a consumer.
#[derive(Debug)]
pub enum ConsumerEvent<'a> {
    /// It takes its logs.
    Consuming,
    /// Another host takes its logs.
    StandingBy,
    /// Its source was lost, and is opened again.
    Reopening(&'a SourceError),
    /// So many deliveries were taken from its source.
    Received(usize),
    /// It has processed so many logs; none at a tick.
    Processed {
        /// How many.
        logs: usize,
        /// How long the call took.
        took: Duration,
    },
    /// It failed: at this log, which goes to the dead letters, or at a tick.
    Failed(&'a ConsumerError, Option<&'a Record>),
    /// It wants to try so many logs again.
    Retrying(usize),
    /// A delivery is safe among the dead letters, for this cause; or would be, if there were any.
    DeadLettered(Cause),
    /// A commit is safe.
    Committed {
        /// What is counted now.
        counts: &'a Counts,
        /// How many deliveries are in this commit.
        deliveries: usize,
        /// How long it took.
        took: Duration,
    },
    /// So many deliveries need not come again, and this is what it has in hand.
    Acknowledged {
        /// How many, since this was told last.
        deliveries: usize,
        /// What is left.
        load: Load,
    },
    /// It is called for something else than logs, a metric or a tick, and what arrives meanwhile waits.
    CallBegins,
    /// It is back.
    CallEnds,
    /// It failed too often: its queue is left as it is, and one log is tried after this time.
    Stopped(&'a ConsumerError, Duration),
    /// It no longer fails.
    Recovered,
    /// So many logs wait for their next attempt, or to be safe among the dead letters, that it takes no more.
    Paused(usize),
    /// A delivery is not counted, for this reason: the first of its kind in this run.
    NotCounted(&'a str, DeadLettering),
    /// So much was not counted in this run, which ends.
    LeftUncounted(Uncounted, DeadLettering),
    /// Its new version, of this digest, has taken over.
    Reloaded(&'a Descriptor, &'a str),
    /// Its new version cannot take over, and the old one goes on.
    ReloadRefused(&'a ConsumerError),
}

/// What a consumer has in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many logs it has taken that are not acknowledged.
    pub taken: usize,
    /// How many of them wait for another attempt, or to be safe among the dead letters.
    pub waiting: usize,
}

/// How many deliveries of a run were not counted, though the consumer never saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// Messages that were not published as logs.
    pub foreign: u64,
    /// Logs that the consumer's filter does not want.
    pub unwanted: u64,
}
