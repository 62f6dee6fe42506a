//! An interval set that records which of its intervals have changed since they were last committed.

use std::collections::BTreeSet;
use std::mem;

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
    pub(super) fn insert(&mut self, n: u64) {
        self.insert_interval(n, n);
    }

    pub(super) fn insert_interval(&mut self, first: u64, last: u64) {
        // Intervals that begin inside the new one, or right behind it, are merged into it.
        self.touched.extend(self.set.starts_between(first.saturating_add(1), last.saturating_add(1)));
        if self.set.insert_interval(first, last) > 0 {
            self.touched.extend(self.set.interval_of(first).map(|(first, _)| first));
        }
    }

    pub(super) fn remove(&mut self, n: u64) -> bool {
        let Some((first, last)) = self.set.interval_of(n) else { return false };
        self.touched.insert(first);
        if n < last {
            self.touched.insert(n + 1);
        }
        self.set.remove(n)
    }

    pub(super) fn changes(&mut self) -> Vec<IntervalChange> {
        let touched = mem::take(&mut self.touched);
        touched
            .into_iter()
            .map(|first| IntervalChange { first, last: self.set.interval_from(first) })
            .collect()
    }
}
