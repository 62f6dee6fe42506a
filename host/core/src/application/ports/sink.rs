//! Where logs are published.

use std::future::Future;

use super::BoxError;
use super::Confirmed;
use crate::domain::{Log, MessageId, Severity, Tally, Timestamp};

/// Where logs are published. What it hands over is in flight until the broker answers.
pub trait LogSink: Send {
    /// Hands one log over; waits while too many are in flight. It has been handed over also when the
    /// future is dropped.
    fn publish(
        &mut self,
        id: &MessageId,
        timestamp: Timestamp,
        log: &Log,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Waits until every log that was handed over has been answered. What the broker refuses for now, as it
    /// does while a queue is full, is sent again before anything newer of its severity and source. Nothing is lost if the future is
    /// dropped.
    fn flush(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Gives up what the broker has refused for now, what waits for that, and, without a connection, everything that has no
    /// answer: it is not sent again.
    fn give_up(&mut self) {}

    /// What the broker has said to the log that it was given last of those that it never takes.
    fn refusal(&self) -> Option<String> {
        None
    }

    /// The answers so far; right also after an error.
    fn receipts(&self) -> Receipts;

    /// Takes out which logs have been confirmed since this was last called.
    fn take_confirmed(&mut self) -> Confirmed;
}

/// What the broker answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    /// Logs that the broker has taken: they are in every queue that was bound.
    pub confirmed: Tally,
    /// Those of the confirmed logs that no queue wanted.
    pub unroutable: Tally,
    /// Logs that were given up: the broker refused them, or one before them of the same severity and source.
    pub refused: Tally,
}

/// Why logs cannot be published.
#[derive(Debug, thiserror::Error)]
#[error("cannot publish")]
pub enum SinkError {
    /// The broker says no to this user, or to how it is asked; there is a connection.
    Refused(#[source] BoxError),
    /// The broker never takes a log like this, from anybody: it is too large, for one.
    NotTaken(#[source] BoxError),
    /// There is no broker, or it has not taken them.
    Failed(#[source] BoxError),
}

impl Receipts {
    /// How many logs were answered.
    pub fn answered(&self) -> u64 {
        self.confirmed.total() + self.refused.total()
    }

    /// Counts a log that the broker has taken.
    pub fn confirm(&mut self, severity: Severity) {
        self.confirmed[severity] += 1;
    }
}
