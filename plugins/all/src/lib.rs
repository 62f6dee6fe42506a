//! Counts every log.

use loghost_plugin::{Consumer, Descriptor, Metric, Settings, Severity};

/// The consumer `all`.
struct All;

impl Consumer for All {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new("all", env!("CARGO_PKG_VERSION"))
            .description("counts every log")
            .severities(Severity::ALL);
        Ok((Self, descriptor))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric.table(Severity::ALL).to_string()
    }
}

loghost_plugin::export!(All);
