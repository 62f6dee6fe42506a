//! What a book is restored from.

use super::partial_messages::PartialMessages;
use crate::domain::{Fingerprint, IntervalSet, Timestamp};

/// A summary of the origins that have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many there were.
    pub origins: u64,
    /// How many of their logs were missing.
    pub missing: u64,
    /// All of them were last seen before this, in the time of the book.
    pub horizon: Timestamp,
}

/// A stream, as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Its name.
    pub stream: String,
    /// The positions that are finished.
    pub finished: IntervalSet,
    /// What it is recognised by, if that is known.
    pub fingerprint: Option<Fingerprint>,
    /// The offsets that were removed before they were read.
    pub removed: IntervalSet,
}

impl StreamState {
    /// Whether it has logs of messages that are finished in part, and is no stream.
    pub fn has_partial_messages(&self) -> bool {
        PartialMessages::are_of(self)
    }

    /// The offset of the first log that is not finished. Some behind it may be.
    pub fn next_offset(&self) -> u64 {
        // A position is one more than an offset.
        self.finished.interval_of(0).map_or(0, |(_, last)| last)
    }
}

/// An origin, as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginState {
    /// `producer/severity/source`
    pub origin: String,
    /// When it was last seen, in the time of the book.
    pub seen: Timestamp,
    /// What is finished: counted, dead or unwanted.
    pub finished: IntervalSet,
    /// What is dead.
    pub dead: IntervalSet,
    /// What is unwanted.
    pub unwanted: IntervalSet,
}
