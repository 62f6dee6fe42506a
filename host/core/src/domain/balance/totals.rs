//! What all accounts of a consumer have of one origin.

use crate::domain::{IntervalSet, OriginState};

/// What all accounts of a consumer have of an origin.
#[derive(Default)]
pub(super) struct OriginTotals {
    pub(super) finished: IntervalSet,
    pub(super) counted: IntervalSet,
    pub(super) dead: IntervalSet,
    pub(super) unwanted: IntervalSet,
    /// The sums over the accounts, in which a log that is in two accounts counts twice.
    pub(super) sum_counted: u64,
    pub(super) sum_dead: u64,
    pub(super) sum_unwanted: u64,
    pub(super) confirmed: Option<u64>,
}

impl OriginTotals {
    pub(super) fn add(&mut self, origin: &OriginState) {
        let counted = origin.finished.without(&origin.dead).without(&origin.unwanted);
        self.sum_counted += counted.len();
        self.sum_dead += origin.dead.len();
        self.sum_unwanted += origin.unwanted.len();
        for (set, more) in [
            (&mut self.finished, &origin.finished),
            (&mut self.counted, &counted),
            (&mut self.dead, &origin.dead),
            (&mut self.unwanted, &origin.unwanted),
        ] {
            for (first, last) in more.iter() {
                set.insert_interval(first, last);
            }
        }
    }
}
