//! Counts every log without reading any: the cost of a consumer that only counts.

use loghost_plugin::{Consumer, Descriptor, Metric, Settings, Severity};

/// The consumer; `loghost bench` writes another number over the one in its name.
struct Counting;

impl Consumer for Counting {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new("bench-000000", env!("CARGO_PKG_VERSION"))
            .description("counts every log")
            .severities(Severity::ALL);
        Ok((Self, descriptor))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric.table(Severity::ALL).to_string()
    }
}

loghost_plugin::export!(Counting);
