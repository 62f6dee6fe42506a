//! Counts the logs of everyday work.

use loghost_plugin::{Consumer, Descriptor, Metric, Settings, Severity};

/// What the consumer wants, and what its metric lists.
const WANTED: [Severity; 2] = [Severity::Debug, Severity::Info];

/// The consumer `debug-info`.
struct DebugInfo;

impl Consumer for DebugInfo {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new("debug-info", env!("CARGO_PKG_VERSION"))
            .description("counts the logs of severity debug and info")
            .severities(WANTED);
        Ok((Self, descriptor))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric.table(WANTED).to_string()
    }
}

loghost_plugin::export!(DebugInfo);
