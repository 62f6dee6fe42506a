//! Publishing an input from its beginning, or from where it was left: with a journal, what was confirmed
//! before is left out, and what was not is sent again with the id that it had.

use super::ports::{Clock, LogSink, Receipts, SinkError};
use super::ports::{Journal, JournalError};
use super::publish::Publish;
use crate::domain::{Log, MessageId, Tally};

/// Publishes an input, piece by piece.
#[derive(Debug)]
pub struct Resume<S, K, J> {
    publish: Publish<S, K>,
    journal: Option<J>,
    /// How many logs have been read.
    read: u64,
    /// Those of them that were confirmed before.
    already: Tally,
    /// Those of them that were begun before and are not confirmed; sent when the input has proved to be
    /// the same.
    again: Vec<(MessageId, Log)>,
}

/// Why an input cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It cannot be sent.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// It cannot be gone on with.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl<S: LogSink, K: Clock, J: Journal> Resume<S, K, J> {
    /// Publishes with `publish`, whose ids are those of the journal's producer, if there is one.
    pub fn new(publish: Publish<S, K>, journal: Option<J>) -> Self {
        Self { publish, journal, read: 0, already: Tally::default(), again: Vec::new() }
    }

    /// Hands over the next logs of the input. What is begun with them is noted before any is sent.
    pub async fn piece(&mut self, logs: &[Log]) -> Result<(), ResumeError> {
        let Some(journal) = &mut self.journal else {
            self.read += logs.len() as u64;
            return Ok(self.publish.each(logs).await?);
        };
        let left = journal.begun().saturating_sub(self.read);
        let (old, new) = logs.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(logs.len()));
        self.read += logs.len() as u64;
        for log in old {
            journal.read(log);
            let id = self.publish.next_id(log);
            if journal.is_confirmed(log.severity, log.source.as_ref(), id.sequence) {
                self.already[log.severity] += 1;
            } else {
                self.again.push((id, log.clone()));
            }
        }
        if old.len() as u64 == left && left > 0 {
            journal.verify()?;
            for (id, log) in std::mem::take(&mut self.again) {
                self.publish.send(&id, &log).await?;
            }
        }
        if !new.is_empty() {
            for log in new {
                journal.read(log);
            }
            journal.begin(self.publish.sink_mut().take_confirmed())?;
            self.publish.each(new).await?;
        }
        Ok(())
    }

    /// Whether more logs were begun than have been handed over.
    pub fn is_behind(&self) -> bool {
        self.journal.as_ref().map_or(0, Journal::begun) > self.read
    }

    /// Waits until what was handed over has been answered. The input may go on; nothing is lost if the
    /// future is dropped.
    pub async fn flush(&mut self) -> Result<(), ResumeError> {
        self.publish.flush().await?;
        Ok(self.note()?)
    }

    /// Ends the input, and waits until it has been answered.
    pub async fn finish(&mut self) -> Result<(), ResumeError> {
        let begun = self.journal.as_ref().map_or(0, Journal::begun);
        if begun > self.read {
            return Err(JournalError::Changed { begun, read: self.read }.into());
        }
        self.flush().await
    }

    /// Notes what has been confirmed so far.
    pub fn note(&mut self) -> Result<(), JournalError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.confirm(self.publish.sink_mut().take_confirmed())
    }

    /// Gives up what the broker has refused for now.
    pub fn give_up(&mut self) {
        self.publish.give_up();
    }

    /// How many logs were confirmed before this began.
    pub fn already_confirmed(&self) -> Tally {
        self.already
    }

    /// How many logs were read and not sent, or sent and not answered.
    pub fn unfinished(&self) -> u64 {
        self.read - self.already.total() - self.receipts().answered()
    }

    /// How many logs were sent and have no answer: whether they arrived is unknown.
    pub fn unanswered(&self) -> u64 {
        self.publish.unanswered()
    }

    /// What the broker has answered so far; right also after an error.
    pub fn receipts(&self) -> Receipts {
        self.publish.receipts()
    }
}
