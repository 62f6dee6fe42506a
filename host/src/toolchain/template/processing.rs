//! Counts what failed, without the sources that are known to fail. An empty message is a fault of
//! whoever wrote it, and goes to the dead letters.
//!
//! Settings: `ignore=SOURCE`, a source whose logs are skipped.

use loghost_plugin::{
    Consumer, Descriptor, Fields, LogRecord, Metric, Outcome, Processed, Processor, Settings,
    Severity,
};

/// What the consumer wants, and what its metric lists.
const WANTED: [Severity; 2] = [Severity::Error, Severity::Critical];

struct Failures {
    ignored: Option<String>,
}

impl Consumer for Failures {
    fn configure(settings: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .description("counts what failed, except where that is expected")
            .severities(WANTED)
            .fields(Fields::SOURCE);
        Ok((
            Self {
                ignored: settings.get("ignore").map(str::to_owned),
            },
            descriptor,
        ))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        metric
            .table(WANTED)
            .row("ignored", metric.skipped.total())
            .to_string()
    }
}

impl Failures {
    /// What becomes of a log; none: it counts.
    fn judge(&self, log: &LogRecord) -> Option<Outcome> {
        if log.message.is_empty() {
            Some(Outcome::Reject("it says nothing".to_owned()))
        } else if log.source.is_some() && log.source == self.ignored {
            Some(Outcome::Skip)
        } else {
            None
        }
    }
}

impl Processor for Failures {
    fn process(&mut self, _now: u64, batch: Vec<LogRecord>) -> Processed {
        Processed::each(&batch, |log| self.judge(log))
    }
}

loghost_plugin::export!(Failures);

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a log while the source `lab` is ignored.
    fn judge(source: &str, message: &str) -> Option<Outcome> {
        let settings = Settings::from([("ignore", "lab")]);
        let (failures, _) = loghost_plugin::configure::<Failures>(&settings).unwrap();
        let mut log = LogRecord::new(Severity::Error, message);
        log.source = Some(source.to_owned());
        failures.judge(&log)
    }

    #[test]
    fn only_what_is_ignored_is_skipped() {
        assert_eq!(judge("db-1", "no space left"), None);
        assert_eq!(judge("lab", "no space left"), Some(Outcome::Skip));
    }
}
