//! A number of logs for each severity.

use std::ops::{AddAssign, Index, IndexMut};

use super::Severity;

/// A number of logs for each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; 4]);

impl Tally {
    /// The sum over all severities.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Takes so many away, or as many as there are.
    pub fn take(&mut self, severity: Severity, logs: u64) {
        self[severity] = self[severity].saturating_sub(logs);
    }

    /// Each severity with its number, in ascending order of severity.
    pub fn iter(&self) -> impl Iterator<Item = (Severity, u64)> {
        Severity::ALL.into_iter().zip(self.0)
    }
}

impl Index<Severity> for Tally {
    type Output = u64;

    fn index(&self, severity: Severity) -> &u64 {
        &self.0[severity as usize]
    }
}

impl IndexMut<Severity> for Tally {
    fn index_mut(&mut self, severity: Severity) -> &mut u64 {
        &mut self.0[severity as usize]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}
