//! A sink for what consumers publish.

use std::future::pending;

use super::Calls;
use crate::application::{Confirmed, LogSink, Receipts, SinkError};
use crate::domain::{Log, MessageId, Timestamp};

/// Confirms each log, but refuses those that say `too large`.
#[derive(Debug)]
pub struct FakeSink {
    /// Records each log, and what is done about the answers.
    pub calls: Calls,
    /// When it answers.
    pub answer: SinkAnswer,
    /// The answers.
    pub receipts: Receipts,
}

/// When a sink answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkAnswer {
    /// At once.
    AtOnce,
    /// Never.
    Never,
}

impl LogSink for FakeSink {
    async fn publish(&mut self, id: &MessageId, _: Timestamp, log: &Log) -> Result<(), SinkError> {
        if log.message == "too large" {
            self.receipts.refused[log.severity] += 1;
        } else {
            self.receipts.confirm(log.severity);
        }
        let trace = log.traced().map_or_else(String::new, |context| format!(" of {context}"));
        self.calls.record(|| format!("publish {id} {}{trace}", log.message));
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        if self.answer == SinkAnswer::Never {
            pending::<()>().await;
        }
        self.calls.record(|| "confirmed");
        Ok(())
    }

    fn give_up(&mut self) {
        self.calls.record(|| "give up");
    }

    fn refusal(&self) -> Option<String> {
        Some("over the limit".to_owned())
    }

    fn receipts(&self) -> Receipts {
        self.receipts
    }

    fn take_confirmed(&mut self) -> Confirmed {
        Confirmed::default()
    }
}
