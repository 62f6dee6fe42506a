//! Verifying: whether a consumer has written the metric that its scenario expects.

use std::collections::BTreeSet;

use crate::domain::scenario::Expectation;

/// A metric that a scenario expects, beside the one that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedMetric {
    /// What should have been written, and by whom.
    pub expectation: Expectation,
    /// What was written; or why there is nothing.
    pub actual: Result<String, String>,
}

impl CheckedMetric {
    /// Whether it is as expected, word for word.
    pub fn passed(&self) -> bool {
        self.actual.as_ref() == Ok(&self.expectation.text)
    }
}

/// How many metrics are as expected, and how many are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Those that are.
    pub passed: usize,
    /// The others.
    pub failed: usize,
}

/// The logs of a scenario that no rule brings to any consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnboundLogs {
    /// How many.
    pub logs: u64,
    /// How many logs the scenario has.
    pub of: u64,
    /// Some of their routing keys.
    pub keys: BTreeSet<String>,
}

impl Checked {
    /// Adds these.
    pub fn add(&mut self, metrics: &[CheckedMetric]) {
        let passed = metrics.iter().filter(|metric| metric.passed()).count();
        self.passed += passed;
        self.failed += metrics.len() - passed;
    }

    /// Whether all are as expected.
    pub fn all_passed(&self) -> bool {
        self.failed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ConsumerName;
    use crate::domain::scenario::ConsumerRef;

    fn metric(expected: &str, actual: Result<&str, &str>) -> CheckedMetric {
        let consumer = ConsumerRef::Bundled(ConsumerName::new("all").unwrap());
        let expectation = Expectation { consumer, settings: Vec::new(), text: expected.to_owned(), line: 1 };
        CheckedMetric { expectation, actual: actual.map(str::to_owned).map_err(str::to_owned) }
    }

    #[test]
    fn only_the_same_text_passes() {
        assert!(metric("total  1", Ok("total  1")).passed());
        assert!(metric("", Ok("")).passed());
        for other in [Ok("total  1\n"), Ok("Total  1"), Ok(""), Err("total  1")] {
            assert!(!metric("total  1", other).passed(), "{other:?}");
        }
    }

    #[test]
    fn counts_over_several_scenarios() {
        let mut checked = Checked::default();
        assert!(checked.all_passed());
        checked.add(&[metric("a", Ok("a")), metric("b", Ok("b"))]);
        assert!(checked.all_passed());
        checked.add(&[metric("a", Ok("b")), metric("a", Err("a")), metric("a", Ok("a"))]);
        assert_eq!(checked, Checked { passed: 3, failed: 2 });
        assert!(!checked.all_passed());
    }
}
