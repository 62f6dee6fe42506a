//! An interval set that records which of its intervals have changed since they were last committed.

use std::collections::BTreeSet;
use std::iter;

use super::IntervalChange;
use crate::domain::IntervalSet;

/// An interval set, and what has changed in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracked {
    pub(super) set: IntervalSet,
    /// The first numbers of intervals that were added, changed or removed.
    touched: BTreeSet<u64>,
}

impl From<IntervalSet> for Tracked {
    /// The set as it was committed.
    fn from(set: IntervalSet) -> Self {
        Self { set, touched: BTreeSet::new() }
    }
}

impl Tracked {
    pub(super) fn insert_interval(&mut self, first: u64, last: u64) {
        // Intervals that begin inside the new one, or right behind it, are merged into it.
        self.touched.extend(self.set.starts_between(first.saturating_add(1), last.saturating_add(1)));
        if self.set.insert_interval(first, last) > 0 {
            self.touched.extend(self.set.interval_of(first).map(|(first, _)| first));
        }
    }

    /// Returns how many of them were in the set.
    pub(super) fn remove_interval(&mut self, first: u64, last: u64) -> u64 {
        self.touched.extend(self.set.interval_of(first).map(|(first, _)| first));
        self.touched.extend(self.set.starts_between(first, last));
        let known = self.set.remove_interval(first, last);
        // What is left behind it begins there.
        if known > 0 {
            self.touched.extend(last.checked_add(1).filter(|next| self.set.interval_from(*next).is_some()));
        }
        known
    }

    pub(super) fn changes(&mut self) -> Vec<IntervalChange> {
        let Self { set, touched } = self;
        let touched = iter::from_fn(|| touched.pop_first());
        touched.map(|first| IntervalChange { first, last: set.interval_from(first) }).collect()
    }
}
