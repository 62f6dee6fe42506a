//! What happens while logs are consumed and published, as data: for whoever shows it, counts it, or waits for it.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Cause, ConsumerError, DeadLettering, NextOffset, Rejection, RunEvent, SourceError};
use crate::domain::{
    ConsumerName, Counts, Descriptor, Log, Measures, MessageId, Record, RemovedOffsets, Severity, Tally,
    TraceContext,
};

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
    /// To the connection for this purpose.
    Connection(&'a str, ConnectionEvent<'a>),
    /// To what is published on the connection for this purpose.
    Publisher(&'a str, PublisherEvent<'a>),
    /// To a run as a whole, or to one of its consumers as a part of it.
    Run(RunEvent<'a>),
    /// To something that only an adapter or a program has, on behalf of this consumer or of none: a type of theirs, which
    /// whoever knows them can look for.
    Adapter(Option<&'a ConsumerName>, &'a dyn Any),
}

/// What happens to a consumer.
#[derive(Debug)]
pub enum ConsumerEvent<'a> {
    /// It begins: its book is loaded, and its source is opened next.
    Opening {
        /// What it says of itself.
        descriptor: &'a Descriptor,
        /// SHA-256 of its code.
        digest: &'a str,
        /// What was counted before.
        counts: &'a Counts,
    },
    /// It takes its logs.
    Consuming(Beginning),
    /// Another host takes its logs.
    StandingBy,
    /// Its source was lost, and is opened again.
    Reopening(&'a SourceError),
    /// Deliveries were taken from its source.
    Received {
        /// How many.
        deliveries: usize,
        /// The logs among them, repetitions included.
        logs: Tally,
    },
    /// It has answered a call with so many logs, none at a tick. Some may be shown to it again: what becomes of each is told
    /// by other events.
    Processed {
        /// How many.
        logs: usize,
        /// How long the call took.
        took: Duration,
    },
    /// It failed at a call with so many logs, none at a tick. Where it was one, [`Failed`](Self::Failed) tells more; several
    /// are shown to it again, in smaller parts.
    Trapped {
        /// How many.
        logs: usize,
    },
    /// What has become of a log that belongs to a trace which is recorded, each time that it was shown to the consumer.
    Traced(ProcessSpan<'a>),
    /// It failed: at this log, which goes to the dead letters, or at a tick.
    Failed(&'a ConsumerError, Option<&'a Record>),
    /// It wants to try so many logs again.
    Retrying(usize),
    /// A delivery is safe among the dead letters, for this reason; or would be, if there were any.
    DeadLettered(&'a Rejection),
    /// A commit is safe.
    Committed {
        /// What is counted now.
        counts: &'a Counts,
        /// How many deliveries are in this commit.
        deliveries: usize,
        /// How long it took.
        took: Duration,
    },
    /// How far it has finished its streams, which is committed now.
    StreamsCommitted(&'a [NextOffset]),
    /// Offsets of a stream were removed before it has read them, which is committed now.
    Removed(&'a RemovedOffsets),
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
    Saturated(usize),
    /// Somebody has paused it: it takes no logs, and another host may.
    Paused,
    /// It was resumed, and its source is opened next.
    Resumed,
    /// It has written a metric, in these words; or has failed at it.
    Reported(Result<&'a str, &'a ConsumerError>),
    /// It has this much memory, in bytes: told when it is not what was told last.
    Memory(u64),
    /// It has measured this; or has failed at it, and is not asked again for a time.
    Measured(Result<&'a Arc<Measures>, &'a ConsumerError>),
    /// A delivery is not counted, for this reason: the first of its kind in this run.
    NotCounted(&'a str, DeadLettering),
    /// So much was not counted in this run, which ends.
    LeftUncounted(Uncounted, DeadLettering),
    /// So many logs that were found in messages of others did not match its filter in this run, which ends: they were
    /// acknowledged.
    PassedBy(u64),
    /// So many of the logs that were counted in this run, which ends, had no id, and it has read streams, where each is counted
    /// by its offset.
    CountedByOffset(u64),
    /// Its new version, of this digest, has taken over.
    Reloaded(&'a Descriptor, &'a str),
    /// It was to be loaded again, and goes on as it is.
    ReloadRefused(ReloadRefusal<'a>),
    /// Its run has ended, or could not begin; with the reason, unless it ended as it should.
    Ended(Option<&'a (dyn Error + 'static)>),
}

/// Why a consumer is not loaded again.
#[derive(Debug)]
pub enum ReloadRefusal<'a> {
    /// The new version does not take up the state of the old one.
    State(&'a ConsumerError),
    /// The new version cannot be loaded, for this reason.
    Unloadable(&'a str),
    /// Nothing is loaded again, of any consumer: what is to be run cannot be used as a whole. The reason is said once for all.
    All,
}

/// When a consumer began to take its logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// At the start of its run, as is expected.
    AtStart,
    /// After its source could not be opened, or was lost, or another host took its logs.
    Later,
}

/// What happens to a connection.
#[derive(Debug)]
pub enum ConnectionEvent<'a> {
    /// It is made for the first time.
    Connected {
        /// To where.
        address: &'a str,
        /// How many attempts have failed before.
        failed_attempts: u32,
    },
    /// It is lost.
    Lost {
        /// Why.
        cause: &'a str,
    },
    /// It could not be made.
    Failed {
        /// Why.
        cause: &'a str,
        /// When it is tried again.
        retry_after: Duration,
    },
    /// One of several addresses cannot be used until somebody does something; another one is.
    Skipped {
        /// Why, and which.
        cause: &'a str,
    },
    /// It is made again.
    Reconnected {
        /// To where.
        address: &'a str,
        /// How long there was none, since the loss was noticed.
        outage: Duration,
    },
    /// The other side takes nothing that is published on it.
    Blocked {
        /// Why.
        cause: &'a str,
    },
    /// The other side takes again what is published on it.
    Unblocked,
}

/// What happens to what is published.
#[derive(Debug)]
pub enum PublisherEvent<'a> {
    /// A log is confirmed.
    Confirmed(&'a Log),
    /// A log was refused for now: it is held back, and sent again until it is taken. Told each time.
    Refused(&'a MessageId, &'a Log),
    /// Logs are refused, this one first. Told at intervals, and not of each log.
    HoldingBack(&'a MessageId, &'a Log),
    /// All is taken of which it was told that it is held back.
    CaughtUp,
    /// A log will not be taken, for this reason, and is given up.
    GivenUp(&'a MessageId, &'a Log, &'a str),
}

/// A log was shown to a consumer, as a span of the trace that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct ProcessSpan<'a> {
    /// The span.
    pub context: &'a TraceContext,
    /// The one that it comes after: that which has published the log.
    pub parent: &'a TraceContext,
    /// How serious the log is.
    pub severity: Severity,
    /// Which attempt at it this was, from 1.
    pub attempt: u32,
    /// What has become of it.
    pub outcome: Traced<'a>,
    /// When the call began.
    pub began: Instant,
    /// How long the call took.
    pub took: Duration,
    /// How many logs the consumer was shown with it, itself included.
    pub logs: usize,
    /// Where the consumer was shown several together and has published a log, which continues the trace of this one: the
    /// spans of the others.
    pub links: &'a [TraceContext],
}

/// What has become of a log that belongs to a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traced<'a> {
    /// It was accepted.
    Accepted,
    /// It was skipped.
    Skipped,
    /// It comes again, for this reason.
    Retried(&'a str),
    /// It goes to the dead letters, for this reason.
    GivenUp(Cause, &'a str),
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
    /// Messages that the broker could not deliver.
    pub undeliverable: u64,
    /// Logs that the consumer's filter does not want.
    pub unwanted: u64,
}
