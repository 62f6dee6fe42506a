//! A set of numbers that remembers which of its intervals changed.

use std::collections::BTreeSet;
use std::mem;

use super::IntervalChange;
use crate::domain::IntervalSet;

/// A set, and which of its intervals changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracked {
    pub(super) set: IntervalSet,
    /// Where intervals began that are other ones now, or none.
    touched: BTreeSet<u64>,
}

impl Tracked {
    pub(super) fn insert(&mut self, n: u64) {
        self.insert_interval(n, n);
    }

    pub(super) fn insert_interval(&mut self, first: u64, last: u64) {
        // What begins inside, or right behind, becomes part of another interval.
        self.touched.extend(self.set.beginnings(first.saturating_add(1), last.saturating_add(1)));
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
