//! Where deliveries go that are not counted.

use std::future::Future;

use super::SourceError;
use crate::domain::{Record, Timestamp};

/// The dead letters of one consumer.
pub trait DeadLetters: Send {
    /// What a dead letter is made of: a delivery, as it came.
    type Original: Send;

    /// Writes the delivery, or one log of several in it, among the dead letters, with what is said of it; without a log, it is a
    /// delivery that is none. The future is ready when it is safe there; the
    /// delivery itself is still to be acknowledged. Any number may be under way, in one `FuturesUnordered`.
    fn write(
        &mut self,
        original: Self::Original,
        log: Option<DeadLog<'_>>,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<Self>;

    /// Gives up what they were written through.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A log that goes to the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLog<'a> {
    /// The log.
    pub record: &'a Record,
    /// Where it is among the logs of its delivery, if there are several: the others stay.
    pub number: Option<LogNumber>,
}

/// Where a log is among several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogNumber {
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// Whether what is not counted can be kept, and through what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLettering<D = ()> {
    /// It goes to the dead letters.
    Ready(D),
    /// It would, but the source does not read it whole, as one does that is opened for
    /// [all of the logs](super::Reads::Logs).
    Unread,
    /// There are none: what comes is a copy, which ends with the source.
    None,
}

impl<D> DeadLettering<D> {
    /// Whether it can be kept, without the means.
    pub fn kind(&self) -> DeadLettering {
        match self {
            Self::Ready(_) => DeadLettering::Ready(()),
            Self::Unread => DeadLettering::Unread,
            Self::None => DeadLettering::None,
        }
    }
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
    /// The broker could not deliver it: it was taken out of the queue another way, and not shown to the consumer.
    Undeliverable,
    /// The consumer's filter does not want such logs, and it was not shown to the consumer.
    Unwanted,
    /// It has come through too many consumers that publish, and was not shown to this one.
    Looped,
    /// Nobody gave it up: where it waited it was taken out, as having come back too often.
    Dropped,
}

impl Cause {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Rejected,
        Self::RetriesExhausted,
        Self::Trapped,
        Self::Foreign,
        Self::Undeliverable,
        Self::Unwanted,
        Self::Looped,
        Self::Dropped,
    ];

    /// What it is called in figures, events and spans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Trapped => "trapped",
            Self::Foreign => "foreign",
            Self::Undeliverable => "undeliverable",
            Self::Unwanted => "unwanted",
            Self::Looped => "looped",
            Self::Dropped => "dropped",
        }
    }
}
