//! The logs that were handed over and have no answer: stored, so that they can be sent again.
//!
//! Knows which is to be sent next, and what the broker's answers mean; nothing of channels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lapin::Confirmation;
use lapin::message::BasicReturnMessage;
use lapin::types::ShortString;
use loghost_core::application::{Confirmed, Receipts};
use loghost_core::domain::{Log, MessageId, Severity, Timestamp};
use tokio::time::Instant;

use crate::publish::deferred::{Deferred, OrderKey};
use crate::publish::destination::Destination;

/// The most logs, and the most bytes of their texts, that wait for the broker's answer.
const WINDOW: usize = 2048;
const WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// A log as it was handed over.
#[derive(Debug)]
pub(crate) struct OutgoingMessage {
    pub(crate) id: MessageId,
    pub(crate) timestamp: Timestamp,
    pub(crate) log: Log,
    pub(crate) routing_key: ShortString,
}

/// The logs without an answer, numbered in the order in which they were handed over, and the answers.
#[derive(Default)]
pub(crate) struct Unconfirmed {
    logs: BTreeMap<u64, Unanswered>,
    next: u64,
    bytes: usize,
    /// What is to be sent on this channel.
    unsent: BTreeSet<u64>,
    deferred: Deferred,
    /// What was under way when the broker closed a channel because of one of them.
    suspects: BTreeSet<u64>,
    /// The suspect that is under way, while nothing else is.
    alone: Option<u64>,
    receipts: Receipts,
    confirmed: Confirmed,
}

struct Unanswered {
    message: Arc<OutgoingMessage>,
    /// Whether the broker has returned it: no queue is bound for it.
    returned: bool,
    /// Whether it may have arrived.
    sent: bool,
}

/// What became of a log by the broker's answer.
#[derive(Debug)]
pub(crate) enum Processed {
    /// It is confirmed.
    Confirmed(Arc<OutgoingMessage>),
    /// It was refused, and is held back.
    Deferred(Arc<OutgoingMessage>),
    /// It had an answer already.
    Answered,
}

impl OutgoingMessage {
    fn order_key(&self) -> OrderKey {
        (self.log.severity, self.log.source.clone())
    }
}

impl Unconfirmed {
    /// Adds a log, to be sent.
    pub(crate) fn add(&mut self, message: OutgoingMessage) {
        self.bytes += message.log.message.len();
        let message = Arc::new(message);
        self.logs.insert(self.next, Unanswered { message, returned: false, sent: false });
        self.unsent.insert(self.next);
        self.next += 1;
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Whether an answer has to come before another log is handed over.
    pub(crate) fn is_full(&self) -> bool {
        self.logs.len() >= WINDOW || self.bytes > WINDOW_BYTES
    }

    /// What is to be sent next, if anything is now; so many are `under_way`.
    pub(crate) fn take_to_send(&mut self, under_way: usize) -> Option<(u64, Arc<OutgoingMessage>)> {
        if self.alone.is_some() {
            return None;
        }
        let number = self.deferred.due(Instant::now()).or_else(|| self.first_unsent())?;
        if self.suspects.contains(&number) {
            if under_way > 0 {
                return None;
            }
            self.alone = Some(number);
        }
        let unanswered = self.logs.get_mut(&number)?;
        (unanswered.returned, unanswered.sent) = (false, true);
        let message = Arc::clone(&unanswered.message);
        if !self.unsent.remove(&number) {
            self.deferred.begin(&message.order_key(), number);
        }
        Some((number, message))
    }

    /// The first to be sent whose severity and source is not held back; those before it are held back from now on.
    fn first_unsent(&mut self) -> Option<u64> {
        while let Some(number) = self.unsent.first().copied() {
            let Some(unanswered) = self.logs.get(&number).filter(|_| !self.deferred.is_empty()) else {
                return Some(number);
            };
            let key = unanswered.message.order_key();
            if !self.deferred.holds(&key) {
                return Some(number);
            }
            self.deferred.add(&key, number);
            self.unsent.remove(&number);
        }
        None
    }

    /// When something that is held back can be sent again.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.deferred.due_at()
    }

    /// Processes the broker's answer to a log.
    pub(crate) fn process(
        &mut self,
        number: u64,
        confirmation: Confirmation,
        destination: &Destination,
    ) -> Processed {
        let taken = !confirmation.is_nack();
        // lapin hands a returned message to the next confirmation, which need not be its own.
        if let Some(returned) = confirmation.take_message()
            && let Some(severity) = destination.severity_of(&returned)
        {
            match self.find(severity, &returned) {
                Some(unanswered) => unanswered.returned = true,
                // It has been confirmed before.
                None => self.receipts.unroutable[severity] += 1,
            }
        }
        if !taken {
            return self.hold_back(number);
        }
        let Some(Unanswered { message, returned, .. }) = self.remove(number) else {
            return Processed::Answered;
        };
        let Log { severity, source, .. } = &message.log;
        self.receipts.confirm(*severity);
        self.receipts.unroutable[*severity] += u64::from(returned);
        self.confirmed.insert(*severity, source.as_ref(), message.id.sequence);
        Processed::Confirmed(message)
    }

    fn hold_back(&mut self, number: u64) -> Processed {
        self.clear(number);
        let Some(unanswered) = self.logs.get_mut(&number) else { return Processed::Answered };
        unanswered.sent = false;
        self.deferred.refuse(unanswered.message.order_key(), number, Instant::now());
        Processed::Deferred(Arc::clone(&unanswered.message))
    }

    /// Whether logs are held back.
    pub(crate) fn holds_back(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Whether logs are held back, and none of their severity and source was taken for as long as `timeout`.
    pub(crate) fn is_overdue(&self, timeout: Duration) -> bool {
        self.deferred.is_overdue(timeout, Instant::now())
    }

    /// Gives up what is held back and has not arrived; returns how many these are.
    pub(crate) fn give_up(&mut self) -> usize {
        let waiting = self.deferred.take_waiting().into_iter();
        let mut given_up = 0;
        for number in waiting {
            if self.logs.get(&number).is_some_and(|unanswered| !unanswered.sent) {
                given_up += 1;
                self.refuse(number);
            }
        }
        given_up
    }

    /// Gives up everything that has no answer: some of it may have arrived.
    pub(crate) fn give_up_all(&mut self) {
        let numbers: Vec<u64> = self.logs.keys().copied().collect();
        for number in numbers {
            self.refuse(number);
        }
    }

    /// The channel is gone: everything is sent again on the next one.
    pub(crate) fn lose_channel(&mut self) {
        self.alone = None;
        self.deferred.lose_answers(Instant::now());
        self.unsent = self.logs.keys().copied().collect();
        if self.deferred.is_empty() {
            return;
        }
        // What came before a log that was refused goes before it again.
        for (number, unanswered) in &self.logs {
            let key = unanswered.message.order_key();
            if self.deferred.holds(&key) {
                self.deferred.add(&key, *number);
                self.unsent.remove(number);
            }
        }
    }

    /// The broker does not take one of those that are under way: each is sent alone, until it is known which.
    pub(crate) fn suspect(&mut self) {
        let (unsent, deferred) = (&self.unsent, &self.deferred);
        let under_way = self.logs.iter().filter(|(number, unanswered)| {
            !unsent.contains(number) && !deferred.has(&unanswered.message.order_key(), **number)
        });
        self.suspects.extend(under_way.map(|(number, _)| *number));
    }

    /// Whether this one was under way alone.
    pub(crate) fn is_alone(&self, number: u64) -> bool {
        self.alone == Some(number)
    }

    /// Counts a log that is given up before it was sent.
    pub(crate) fn refuse_unsent(&mut self, severity: Severity) {
        self.receipts.refused[severity] += 1;
    }

    /// Gives up a log.
    pub(crate) fn refuse(&mut self, number: u64) -> Option<Arc<OutgoingMessage>> {
        let Unanswered { message, .. } = self.remove(number)?;
        self.receipts.refused[message.log.severity] += 1;
        Some(message)
    }

    fn remove(&mut self, number: u64) -> Option<Unanswered> {
        self.clear(number);
        self.unsent.remove(&number);
        let unanswered = self.logs.remove(&number)?;
        self.bytes -= unanswered.message.log.message.len();
        if !self.deferred.is_empty() {
            self.unsent.extend(self.deferred.taken(&unanswered.message.order_key(), number, Instant::now()));
        }
        Some(unanswered)
    }

    /// What has an answer is no suspect.
    fn clear(&mut self, number: u64) {
        self.suspects.remove(&number);
        self.alone.take_if(|alone| *alone == number);
    }

    fn find(&mut self, severity: Severity, returned: &BasicReturnMessage) -> Option<&mut Unanswered> {
        let id = returned.properties.message_id().as_ref().map(ShortString::as_str)?;
        let id: MessageId = id.parse().ok()?;
        self.logs.values_mut().find(|unanswered| {
            let OutgoingMessage { id: own, log, routing_key, .. } = &*unanswered.message;
            *own == id && log.severity == severity && *routing_key == returned.routing_key
        })
    }

    /// The answers so far.
    pub(crate) fn receipts(&self) -> Receipts {
        self.receipts
    }

    /// Takes out what has been confirmed.
    pub(crate) fn take_confirmed(&mut self) -> Confirmed {
        std::mem::take(&mut self.confirmed)
    }
}
