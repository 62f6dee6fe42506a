//! Counts the logs of severity critical.

use loghost_plugin::{Consumer, Descriptor, Metric, Settings, Severity};

/// What the consumer wants, and what its metric lists.
const WANTED: [Severity; 1] = [Severity::Critical];

/// The consumer `critical`.
struct Critical;

impl Consumer for Critical {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new("critical", env!("CARGO_PKG_VERSION"))
            .description("counts the logs of severity critical")
            .severities(WANTED);
        Ok((Self, descriptor))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric.table(WANTED).to_string()
    }
}

loghost_plugin::export!(Critical);
