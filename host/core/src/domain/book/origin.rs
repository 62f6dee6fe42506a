//! What a book has of one origin: a producer, severity and source.

use std::sync::Arc;

use super::CountedAs;
use super::tracked::Tracked;
use crate::domain::Timestamp;

/// What is known of an origin.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) key: Arc<str>,
    /// Counted, dead or unwanted.
    pub(super) finished: Tracked,
    /// Among the dead letters, because of what the consumer said or did.
    pub(super) dead: Tracked,
    /// Among the dead letters, because the filter does not want them.
    pub(super) unwanted: Tracked,
    pub(super) seen: Timestamp,
}

impl Origin {
    pub(super) fn is_dead_letter(&self, n: u64) -> bool {
        self.dead.set.contains(n) || self.unwanted.set.contains(n)
    }

    /// Records what the logs from `first` to `last` are counted as; returns how many of them were dead, and how many
    /// unwanted, before.
    pub(super) fn finish(&mut self, first: u64, last: u64, counted_as: CountedAs) -> (u64, u64) {
        self.finished.insert_interval(first, last);
        let were_dead = self.dead.remove_interval(first, last);
        let were_unwanted = self.unwanted.remove_interval(first, last);
        match counted_as {
            CountedAs::Dead => self.dead.insert_interval(first, last),
            CountedAs::Unwanted => self.unwanted.insert_interval(first, last),
            CountedAs::Accepted | CountedAs::Skipped => {}
        }
        (were_dead, were_unwanted)
    }
}
