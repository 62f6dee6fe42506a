//! Counts what failed.

use loghost_plugin::{Consumer, Descriptor, Metric, Settings, Severity};

/// What the consumer wants, and what its metric lists.
const WANTED: [Severity; 2] = [Severity::Error, Severity::Critical];

struct Failures;

impl Consumer for Failures {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .description("counts what failed")
            .severities(WANTED);
        Ok((Self, descriptor))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric.table(WANTED).to_string()
    }
}

loghost_plugin::export!(Failures);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metric_lists_what_failed() {
        let (failures, _) = loghost_plugin::configure::<Failures>(&Settings::default()).unwrap();
        let mut metric = Metric::default();
        metric.accepted.error = 2;
        let expected = "error     2\ncritical  0\ntotal     2";
        assert_eq!(failures.format_metric(&metric), expected);
    }
}
