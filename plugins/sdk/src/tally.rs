//! Numbers of logs by severity.

use crate::{Severities, Severity, Tally};

impl Tally {
    /// The number for one severity.
    pub const fn get(&self, severity: Severity) -> u64 {
        match severity {
            Severity::Debug => self.debug,
            Severity::Info => self.info,
            Severity::Error => self.error,
            Severity::Critical => self.critical,
        }
    }

    /// The number for all severities together.
    pub fn total(&self) -> u64 {
        self.total_of(Severities::all())
    }

    /// The number for some severities together.
    pub fn total_of(&self, severities: impl Into<Severities>) -> u64 {
        severities.into().in_order().map(|severity| self.get(severity)).fold(0, u64::saturating_add)
    }

    /// Each severity and its number, in ascending order of severity.
    pub fn iter(&self) -> impl Iterator<Item = (Severity, u64)> {
        Severity::ALL.into_iter().map(|severity| (severity, self.get(severity)))
    }
}

impl Default for Tally {
    /// All zero.
    fn default() -> Self {
        Self { debug: 0, info: 0, error: 0, critical: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_add_up() {
        let tally = Tally { debug: 1, info: 3, error: 1, critical: 2 };
        assert_eq!(tally.total(), 7);
        assert_eq!(tally.total_of([Severity::Info, Severity::Critical]), 5);
        assert_eq!(tally.iter().map(|(_, count)| count).collect::<Vec<_>>(), [1, 3, 1, 2]);
        assert_eq!(Tally { debug: u64::MAX, ..tally }.total(), u64::MAX);
    }
}
