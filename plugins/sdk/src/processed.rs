//! What a processor says of a batch.

use crate::{DerivedLog, LogRecord, Outcome, Processed, Severity, Verdict};

impl Processed {
    /// Every log of the batch is accepted, and nothing is published.
    pub const fn accepted() -> Self {
        Self { verdicts: Vec::new(), publish: Vec::new() }
    }

    /// Asks `decide` about each log: none accepts it.
    pub fn each(batch: &[LogRecord], mut decide: impl FnMut(&LogRecord) -> Option<Outcome>) -> Self {
        let mut processed = Self::accepted();
        for (index, log) in batch.iter().enumerate() {
            if let Some(outcome) = decide(log) {
                processed.decide(index, outcome);
            }
        }
        processed
    }

    /// Decides on the log with this index in the batch, from 0. One decision for each log at most.
    ///
    /// # Panics
    /// If the index does not fit 32 bits, which no batch reaches.
    pub fn decide(&mut self, index: usize, outcome: Outcome) {
        let index = u32::try_from(index).expect("an index into a batch fits 32 bits");
        self.verdicts.push(Verdict { index, outcome });
    }

    /// Publishes a log before the batch is acknowledged.
    pub fn publish(&mut self, log: DerivedLog) {
        self.publish.push(log);
    }
}

impl Default for Processed {
    fn default() -> Self {
        Self::accepted()
    }
}

impl DerivedLog {
    /// A log to publish, in the plugin's own name and without attributes.
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), source: None, attributes: Vec::new() }
    }

    /// Names the source.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds an attribute. Keys are unique.
    #[must_use]
    pub fn attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }
}

impl LogRecord {
    /// A log as it arrives at its first attempt, of time 0 and with no further fields: for tests.
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            timestamp: 0,
            attempt: 1,
            message: message.into(),
            id: None,
            source: None,
            attributes: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_without_an_outcome_is_accepted() {
        let batch = ["a", "", "b"].map(|message| LogRecord::new(Severity::Info, message));
        let mut processed = Processed::each(&batch, |log| log.message.is_empty().then_some(Outcome::Skip));
        assert_eq!(processed.verdicts, [Verdict { index: 1, outcome: Outcome::Skip }]);
        processed.publish(DerivedLog::new(Severity::Error, "empty").source("x").attribute("k", "v"));
        assert_eq!(processed.publish[0].attributes, [("k".to_owned(), "v".to_owned())]);
    }
}
