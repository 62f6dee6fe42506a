//! What the host has counted.

use crate::{Metric, Severities, Table, Tally};

impl Metric {
    /// The accepted logs: a line for each of these severities, and one for their total.
    pub fn table(&self, severities: impl Into<Severities>) -> Table {
        let severities = severities.into();
        severities
            .in_order()
            .fold(Table::new(), |table, severity| table.row(severity.name(), self.accepted.get(severity)))
            .row("total", self.accepted.total_of(severities))
    }
}

impl Default for Metric {
    /// That of a consumer that no log has reached, at the Unix epoch.
    fn default() -> Self {
        Self {
            now: 0,
            accepted: Tally::default(),
            rejected: Tally::default(),
            skipped: Tally::default(),
            repeated: 0,
            without_id: 0,
            first: None,
            last: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[track_caller]
    fn check(severities: impl Into<Severities>, expected: &str) {
        let accepted = Tally { debug: 1, info: 3, error: 1, critical: 2 };
        assert_eq!(Metric { accepted, ..Metric::default() }.table(severities).to_string(), expected);
    }

    #[test]
    fn a_table_lists_the_severities_asked_for() {
        check(Severity::ALL, "debug     1\ninfo      3\nerror     1\ncritical  2\ntotal     7");
        check([Severity::Critical], "critical  2\ntotal     2");
        check([], "total     0");
    }
}
