//! Publishing: gives each log its id, and its time if it has none, and hands it to the sink.

use super::ports::{Clock, LogSink, Receipts, SinkError};
use crate::domain::{Log, MessageId, Sequencer};

/// Publishes the logs of one producer.
#[derive(Debug)]
pub struct Publish<S, K> {
    sink: S,
    sequencer: Sequencer,
    clock: K,
    handed_over: u64,
}

impl<S: LogSink, K: Clock> Publish<S, K> {
    /// Publishes to `sink`, with ids from `sequencer` and times from `clock`.
    pub fn new(sink: S, sequencer: Sequencer, clock: K) -> Self {
        Self { sink, sequencer, clock, handed_over: 0 }
    }

    /// Hands over one log.
    pub async fn log(&mut self, log: &Log) -> Result<(), SinkError> {
        let id = self.next_id(log);
        self.send(&id, log).await
    }

    /// The next id of a log like this.
    pub(super) fn next_id(&mut self, log: &Log) -> MessageId {
        self.sequencer.next_id(log.severity, log.source.as_ref())
    }

    /// Hands over one log with the id that it has.
    pub(super) async fn send(&mut self, id: &MessageId, log: &Log) -> Result<(), SinkError> {
        self.handed_over += 1;
        let time = log.timestamp.unwrap_or_else(|| self.clock.now());
        self.sink.publish(id, time, log).await
    }

    /// Hands over `logs`.
    pub(super) async fn each(&mut self, logs: &[Log]) -> Result<(), SinkError> {
        for log in logs {
            self.log(log).await?;
        }
        Ok(())
    }

    /// Publishes `logs`, and returns when the broker has taken every one of them.
    pub async fn all(&mut self, logs: &[Log]) -> Result<(), SinkError> {
        let refused = self.receipts().refused.total();
        self.each(logs).await?;
        self.flush().await?;
        if self.receipts().refused.total() > refused {
            let refusal = self.sink.refusal().unwrap_or_else(|| "the broker refused it".to_owned());
            return Err(SinkError::NotTaken(refusal.into()));
        }
        Ok(())
    }

    /// Waits until every log has been answered.
    pub async fn flush(&mut self) -> Result<(), SinkError> {
        self.sink.flush().await
    }

    /// Gives up what the broker has refused for now, or cannot be asked about.
    pub fn give_up(&mut self) {
        self.sink.give_up();
    }

    /// How many logs were handed over and have no answer: whether they arrived is unknown.
    pub fn unanswered(&self) -> u64 {
        self.handed_over - self.receipts().answered()
    }

    /// The sink, for what is not a log.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// What the broker has answered so far; right also after an error.
    pub fn receipts(&self) -> Receipts {
        self.sink.receipts()
    }
}
