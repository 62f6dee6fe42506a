//! Counts the logs of severity error.

use loghost_plugin::{Consumer, Descriptor, Metric, Settings, Severity};

/// What the consumer wants, and what its metric lists.
const WANTED: [Severity; 1] = [Severity::Error];

/// The consumer `error`.
struct Error;

impl Consumer for Error {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new("error", env!("CARGO_PKG_VERSION"))
            .description("counts the logs of severity error")
            .severities(WANTED);
        Ok((Self, descriptor))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric.table(WANTED).to_string()
    }
}

loghost_plugin::export!(Error);
