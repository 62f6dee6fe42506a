//! The logs that were handed over and have no answer: kept, so that they can be sent again.
//!
//! Knows what the broker's answers mean; nothing of channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use lapin::Confirmation;
use lapin::message::BasicReturnMessage;
use lapin::types::ShortString;
use loghost_core::application::{Confirmed, Receipts};
use loghost_core::domain::{Log, MessageId, Severity, Timestamp};

use super::wire;

/// The most logs, and the most bytes of their texts, that wait for the broker's answer.
const WINDOW: usize = 2048;
const WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// A log as it was handed over.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: MessageId,
    pub(super) timestamp: Timestamp,
    pub(super) log: Log,
}

/// The logs without an answer, numbered in the order in which they were handed over, and the answers.
#[derive(Default)]
pub(super) struct Kept {
    logs: BTreeMap<u64, Unanswered>,
    next: u64,
    bytes: usize,
    receipts: Receipts,
    confirmed: Confirmed,
}

struct Unanswered {
    message: Arc<Message>,
    /// Whether the broker has returned it: no queue wants it.
    returned: bool,
}

impl Kept {
    /// Keeps a log.
    pub(super) fn keep(&mut self, message: Message) {
        self.bytes += message.log.message.len();
        self.logs.insert(self.next, Unanswered { message: Arc::new(message), returned: false });
        self.next += 1;
    }

    /// The number that the next log will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The oldest of them.
    pub(super) fn first(&self) -> Option<u64> {
        self.logs.first_key_value().map(|(number, _)| *number)
    }

    /// Whether an answer has to come before another log is handed over.
    pub(super) fn is_full(&self) -> bool {
        self.logs.len() >= WINDOW || self.bytes > WINDOW_BYTES
    }

    /// Gives out a log to be sent, on a channel that has not yet answered anything of it.
    pub(super) fn take_to_send(&mut self, number: u64) -> Option<Arc<Message>> {
        let unanswered = self.logs.get_mut(&number)?;
        unanswered.returned = false;
        Some(Arc::clone(&unanswered.message))
    }

    /// Takes in the broker's answer to a log.
    pub(super) fn settle(
        &mut self,
        number: u64,
        confirmation: Confirmation,
        severity_of: impl Fn(&str) -> Option<Severity>,
    ) {
        let taken = !confirmation.is_nack();
        // lapin hands a returned message to the next confirmation, which need not be its own.
        if let Some(returned) = confirmation.take_message()
            && let Some(severity) = severity_of(returned.exchange.as_str())
        {
            match self.find(severity, &returned) {
                Some(unanswered) => unanswered.returned = true,
                // It has been confirmed before.
                None => self.receipts.unroutable[severity] += 1,
            }
        }
        let Some(Unanswered { message, returned }) = self.remove(number) else { return };
        let Log { severity, source, .. } = &message.log;
        if taken {
            self.receipts.confirm(*severity);
            self.receipts.unroutable[*severity] += u64::from(returned);
            self.confirmed.insert(*severity, source.as_ref(), message.id.sequence);
        } else {
            self.receipts.refused[*severity] += 1;
        }
    }

    /// Gives up a log.
    pub(super) fn refuse(&mut self, number: u64) -> Option<Arc<Message>> {
        let Unanswered { message, .. } = self.remove(number)?;
        self.receipts.refused[message.log.severity] += 1;
        Some(message)
    }

    fn remove(&mut self, number: u64) -> Option<Unanswered> {
        let unanswered = self.logs.remove(&number)?;
        self.bytes -= unanswered.message.log.message.len();
        Some(unanswered)
    }

    fn find(&mut self, severity: Severity, returned: &BasicReturnMessage) -> Option<&mut Unanswered> {
        let id = returned.properties.message_id().as_ref().map(ShortString::as_str)?;
        let id: MessageId = id.parse().ok()?;
        self.logs.values_mut().find(|unanswered| {
            let Message { id: own, log, .. } = &*unanswered.message;
            *own == id && log.severity == severity && wire::routing_key(log) == returned.routing_key
        })
    }

    /// The answers so far.
    pub(super) fn receipts(&self) -> Receipts {
        self.receipts
    }

    /// Takes out what has been confirmed.
    pub(super) fn take_confirmed(&mut self) -> Confirmed {
        std::mem::take(&mut self.confirmed)
    }
}
