//! The limits that a queue's arguments set: its length, and the time to live of itself and its messages.
//!
//! Sources: `RabbitMQ`, "Time-To-Live and Expiration", "Queue Length Limit", "Dead Letter Exchanges".

use std::{collections::VecDeque, mem, sync::Arc};

use super::{
    arena::Key,
    clock::{Clock, Millis, Moment},
    dead_letter::DeadLetter,
    queue::{Entry, Queue},
};
use crate::{death::Reason, error::AmqpError, message::Content};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// `x-message-ttl`: how long a message waits.
    pub(crate) message_ttl: Option<Millis>,
    /// `x-expires`: how long the queue exists without being used.
    pub(crate) expires: Option<Millis>,
    /// `x-max-length`: the most messages that are ready.
    pub(crate) max_length: Option<u64>,
    /// `x-max-length-bytes`: the most bytes of their bodies.
    pub(crate) max_bytes: Option<u64>,
    /// `x-delivery-limit`, of quorum queues: kept to be compared, and never reached.
    pub(crate) delivery_limit: Option<i64>,
    /// `x-overflow`
    pub(crate) overflow: Overflow,
    /// `x-dead-letter-exchange`: where rejected, expired and surplus messages go.
    pub(crate) dead_letter_exchange: Option<Arc<str>>,
    /// `x-dead-letter-routing-key`: with this key instead of their own.
    pub(crate) dead_letter_key: Option<Arc<str>>,
}

/// Which message is dropped when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The oldest one makes room.
    DropHead,
    /// The new one is rejected; a publisher in confirm mode is told.
    RejectPublish,
}

impl Policy {
    pub(crate) const NONE: Self = Self {
        message_ttl: None,
        expires: None,
        max_length: None,
        max_bytes: None,
        delivery_limit: None,
        overflow: Overflow::DropHead,
        dead_letter_exchange: None,
        dead_letter_key: None,
    };

    /// Whether a declaration of queue `name` asks for what exists.
    pub(crate) fn check_equivalent(&self, name: &str, declared: &Self) -> Result<(), AmqpError> {
        for ((argument, received), (_, current)) in declared.described().into_iter().zip(self.described()) {
            if received != current {
                let word = |value: Option<String>| value.unwrap_or_else(|| "none".into());
                let (received, current) = (word(received), word(current));
                return Err(AmqpError::inequivalent(argument, "queue", name, &received, &current));
            }
        }
        Ok(())
    }

    fn described(&self) -> [(&'static str, Option<String>); 8] {
        let number = |value: Option<i128>| value.map(|n| format!("the value '{n}' of type 'signedint'"));
        let text = |value: Option<&str>| value.map(|text| format!("the value '{text}' of type 'longstr'"));
        let overflow = (self.overflow == Overflow::RejectPublish).then_some("reject-publish");
        [
            ("x-message-ttl", number(self.message_ttl.map(i128::from))),
            ("x-expires", number(self.expires.map(i128::from))),
            ("x-max-length", number(self.max_length.map(i128::from))),
            ("x-max-length-bytes", number(self.max_bytes.map(i128::from))),
            ("x-delivery-limit", number(self.delivery_limit.map(i128::from))),
            ("x-overflow", text(overflow)),
            ("x-dead-letter-exchange", text(self.dead_letter_exchange.as_deref())),
            ("x-dead-letter-routing-key", text(self.dead_letter_key.as_deref())),
        ]
    }
}

impl Queue {
    /// When a message that comes now expires.
    pub(super) fn expiry(&self, content: &Content, clock: &Clock) -> Moment {
        let ttl = match (self.spec.policy.message_ttl, content.expiration()) {
            (Some(all), Some(own)) => Some(all.min(own)),
            (all, own) => all.or(own),
        };
        ttl.map_or(Moment::NEVER, |ttl| clock.now().after(ttl))
    }

    /// Whether it is full and rejects a message.
    pub(super) fn refuses(&self, content: &Content) -> bool {
        self.spec.policy.overflow == Overflow::RejectPublish
            && self.exceeds(self.len() + 1, self.ready_bytes() + content.body().len())
    }

    /// When it expires, if it is not used before.
    pub(super) fn unused_from(&self) -> Option<Moment> {
        let expires = self.spec.policy.expires?;
        self.consumers().is_empty().then(|| self.used_at.after(expires))
    }

    /// Notes that it was used.
    pub(super) fn touch(&mut self, clock: &Clock) {
        if self.spec.policy.expires.is_some() {
            self.used_at = clock.now();
        }
    }

    /// Drops expired messages from the head. As in `RabbitMQ`, an expired message behind one that has not expired
    /// stays.
    pub(super) fn drop_expired(&mut self, clock: &Clock, dead: &mut VecDeque<DeadLetter>) {
        while self.head_expires() != Moment::NEVER && self.head_expires() < clock.now() {
            if let Some(entry) = self.pop() {
                self.dead_letter(entry, Reason::Expired, dead);
            }
        }
    }

    /// Drops messages from the head: those that exceed the length limit, and then those that have expired, which
    /// includes undelivered ones with a time to live of zero.
    pub(super) fn drop_excess(&mut self, clock: &Clock, dead: &mut VecDeque<DeadLetter>) {
        while self.exceeds(self.len(), self.ready_bytes())
            && let Some(entry) = self.pop()
        {
            self.dead_letter(entry, Reason::MaxLength, dead);
        }
        while self.head_expires() != Moment::NEVER
            && self.head_expires() <= clock.now()
            && let Some(entry) = self.pop()
        {
            self.dead_letter(entry, Reason::Expired, dead);
        }
    }

    pub(super) fn dead_letter(&self, entry: Entry, reason: Reason, dead: &mut VecDeque<DeadLetter>) {
        if let Some(exchange) = &self.spec.policy.dead_letter_exchange {
            dead.push_back(DeadLetter {
                entry,
                reason,
                queue: Arc::clone(&self.name),
                exchange: Arc::clone(exchange),
                key: self.spec.policy.dead_letter_key.clone(),
            });
        }
    }

    /// Tells the clock when to check it next.
    pub(super) fn schedule(&mut self, key: Key<Queue>, clock: &mut Clock) {
        let due = self.unused_from().unwrap_or(Moment::NEVER).min(self.head_expires());
        if due != self.look_at {
            let before = mem::replace(&mut self.look_at, due);
            clock.reschedule(key, before, due);
        }
    }

    fn exceeds(&self, messages: usize, bytes: usize) -> bool {
        let policy = &self.spec.policy;
        policy.max_length.is_some_and(|most| messages as u64 > most)
            || policy.max_bytes.is_some_and(|most| bytes as u64 > most)
    }
}
