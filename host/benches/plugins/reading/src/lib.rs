//! Reads every byte of every log: what a consumer costs that looks for something.

use loghost_plugin::{Consumer, Descriptor, LogRecord, Metric, Processed, Processor, Settings, Severity};

/// What it looks for.
const SOUGHT: &[u8] = b"timeout";

/// The consumer; `loghost bench` writes another number over the one in its name.
struct Reading {
    found: usize,
}

impl Consumer for Reading {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new("bench-000000", env!("CARGO_PKG_VERSION"))
            .description("counts how often the logs speak of a timeout")
            .severities(Severity::ALL);
        Ok((Self { found: 0 }, descriptor))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric.table(Severity::ALL).row("timeouts", self.found as u64).to_string()
    }
}

impl Processor for Reading {
    fn process(&mut self, _: u64, batch: Vec<LogRecord>) -> Processed {
        for log in &batch {
            let windows = log.message.as_bytes().windows(SOUGHT.len());
            // The first byte decides most often, and comparing whole windows is a call each.
            self.found += windows.filter(|window| window[0] == SOUGHT[0] && *window == SOUGHT).count();
        }
        Processed::accepted()
    }
}

loghost_plugin::export!(Reading);
