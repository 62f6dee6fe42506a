//! Counts errors. A test is skipped, a log without text is a dead letter, and one whose clock is ahead comes
//! again later.

use loghost_plugin::{
    Consumer, Descriptor, LogRecord, Metric, Outcome, Processed, Processor, Settings, Severity,
};

struct Errors;

impl Consumer for Errors {
    fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        Ok((Self, descriptor.severities([Severity::Error])))
    }

    fn format_metric(&self, metric: &Metric) -> String {
        let table = metric.table([Severity::Error]);
        table.row("skipped", metric.skipped.total()).to_string()
    }
}

impl Processor for Errors {
    fn process(&mut self, now: u64, batch: Vec<LogRecord>) -> Processed {
        Processed::each(&batch, |log| match log.message.as_str() {
            "" => Some(Outcome::Reject("no text".into())),
            text if text.starts_with("test") => Some(Outcome::Skip),
            _ if log.timestamp > now => Some(Outcome::Retry("its clock is ahead".into())),
            _ => None,
        })
    }
}

loghost_plugin::export!(Errors);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_has_its_outcome() {
        let log = |message| LogRecord::new(Severity::Error, message);
        let ahead = LogRecord {
            timestamp: 2,
            ..log("disk full")
        };
        let batch = vec![log("disk full"), log("test of the alarm"), log(""), ahead];
        let processed = Errors.process(1, batch);
        let outcomes: Vec<_> = processed
            .verdicts
            .into_iter()
            .map(|verdict| (verdict.index, verdict.outcome))
            .collect();
        let expected = [
            (1, Outcome::Skip),
            (2, Outcome::Reject("no text".into())),
            (3, Outcome::Retry("its clock is ahead".into())),
        ];
        assert_eq!(outcomes, expected);
    }
}
