//! A consumer that is a function.

use super::Calls;
use crate::application::{Consumer, ConsumerError, Reads};
use crate::domain::{
    ConsumerName, Descriptor, Fields, Filter, Metric, Processed, Record, Severities, Severity, Timestamp,
};

/// Has no state; its metric is `ACCEPTED+SKIPPED-REJECTED`.
#[derive(Clone, Debug)]
pub struct FakeConsumer {
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Whether it processes logs.
    pub reads: Reads,
    /// How it processes them.
    pub process: fn(&[Record]) -> Result<Processed, ConsumerError>,
    /// Records the messages and attempts of each batch.
    pub calls: Calls,
}

impl Consumer for FakeConsumer {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn processes(&self) -> bool {
        self.reads == Reads::Logs
    }

    fn keeps_state(&self) -> bool {
        false
    }

    fn digest(&self) -> &'static str {
        ""
    }

    async fn process(&mut self, _: Timestamp, batch: &[Record]) -> Result<Processed, ConsumerError> {
        self.calls.record(|| {
            let logs: Vec<_> = batch.iter().map(|log| format!("{}/{}", log.message, log.attempt)).collect();
            format!("process [{}]", logs.join(" "))
        });
        (self.process)(batch)
    }

    async fn format_metric(&mut self, metric: &Metric) -> Result<String, ConsumerError> {
        let counts = &metric.counts;
        Ok(format!("{}+{}-{}", counts.accepted.total(), counts.skipped.total(), counts.rejected.total()))
    }

    async fn save(&mut self) -> Result<Vec<u8>, ConsumerError> {
        Ok(Vec::new())
    }

    async fn restore(&mut self, _: Option<&[u8]>) -> Result<(), ConsumerError> {
        Ok(())
    }
}

/// The descriptor of a consumer that wants all logs of these severities, and publishes none.
///
/// # Panics
/// If `name` cannot name a consumer.
pub fn descriptor(name: &str, severities: impl IntoIterator<Item = Severity>) -> Descriptor {
    Descriptor {
        name: ConsumerName::new(name).expect("a name"),
        version: String::new(),
        description: String::new(),
        filter: Filter::new(Severities::from_iter(severities), Vec::new()),
        fields: Fields::default(),
        publishes: Severities::default(),
        tick: None,
    }
}
