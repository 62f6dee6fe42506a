//! A reporter.

use super::Calls;
use crate::application::{Report, ReportError, Reporter};

/// Records each metric.
#[derive(Debug)]
pub struct FakeReporter(pub Calls);

impl Reporter for FakeReporter {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        let last = if report.last { " (last)" } else { "" };
        self.0.record(|| format!("metric {}{last}", report.text.as_ref().expect("a metric")));
        Ok(())
    }
}
