//! What changed in a book, as a ledger commits it.

use std::sync::Arc;

use super::Expired;
use crate::domain::{Counts, Fingerprint, Timestamp};

/// What changed in a book since it was asked last; to be committed as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The counts as they are now.
    pub counts: Counts,
    /// What has expired in all.
    pub expired: Expired,
    /// The streams of which more positions are finished.
    pub streams: Vec<StreamChange>,
    /// The origins that changed.
    pub origins: Vec<OriginChange>,
    /// The origins that are no longer in the book.
    pub forgotten: Vec<Arc<str>>,
}

/// What changed of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamChange {
    /// Its name.
    pub stream: Arc<str>,
    /// Intervals of the positions that are finished.
    pub finished: Vec<IntervalChange>,
    /// What it is recognised by, if that has changed.
    pub fingerprint: Option<Fingerprint>,
    /// Intervals of the offsets that were removed before they were read.
    pub removed: Vec<IntervalChange>,
}

/// What changed of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginChange {
    /// `producer/severity/source`
    pub origin: Arc<str>,
    /// When it was last seen, in the time of the book.
    pub seen: Timestamp,
    /// Intervals of what is finished: counted, dead or unwanted.
    pub finished: Vec<IntervalChange>,
    /// Intervals of what is dead.
    pub dead: Vec<IntervalChange>,
    /// Intervals of what is unwanted.
    pub unwanted: Vec<IntervalChange>,
}

/// An interval that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalChange {
    /// Its first number.
    pub first: u64,
    /// Its last number; none if no interval begins here any more.
    pub last: Option<u64>,
}
