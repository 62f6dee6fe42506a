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

    /// Records what the log `n` is counted as; returns what it was counted as before if it was a dead letter.
    pub(super) fn finish(&mut self, n: u64, counted_as: CountedAs) -> Option<CountedAs> {
        self.finished.insert(n);
        let was_dead = self.dead.remove(n);
        let was_unwanted = self.unwanted.remove(n);
        match counted_as {
            CountedAs::Dead => self.dead.insert(n),
            CountedAs::Unwanted => self.unwanted.insert(n),
            CountedAs::Accepted | CountedAs::Skipped => {}
        }
        if was_dead { Some(CountedAs::Dead) } else { was_unwanted.then_some(CountedAs::Unwanted) }
    }
}
