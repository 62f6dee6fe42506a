//! What a queue's arguments bound: its length, its life, and that of its messages.
//!
//! Sources: `RabbitMQ`, "Time-To-Live and Expiration", "Queue Length Limit", "Dead Letter Exchanges".

use std::{collections::VecDeque, mem, sync::Arc};

use super::{
    arena::Key,
    clock::{Clock, Millis, Moment},
    dead_letter::Dead,
    queue::{Entry, Queue},
};
use crate::{death::Reason, error::AmqpError, message::Content};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// `x-message-ttl`: how long a message waits.
    pub(crate) message_ttl: Option<Millis>,
    /// `x-expires`: how long the queue is there with no consumer and nobody who asks for it.
    pub(crate) expires: Option<Millis>,
    /// `x-max-length`: messages that are ready.
    pub(crate) max_length: Option<u64>,
    /// `x-max-length-bytes`: of their bodies.
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

/// What happens to a message too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The oldest one makes room.
    DropHead,
    /// The new one is refused; a publisher that wants confirms hears of it.
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

    /// Whether it has no room for a message and does not make any.
    pub(super) fn refuses(&self, content: &Content) -> bool {
        self.spec.policy.overflow == Overflow::RejectPublish
            && self.exceeds(self.len() + 1, self.ready_bytes() + content.body().len())
    }

    /// When it is gone, if nobody uses it until then.
    pub(super) fn unused_from(&self) -> Option<Moment> {
        let expires = self.spec.policy.expires?;
        self.consumers().is_empty().then(|| self.used_at.after(expires))
    }

    /// Whoever uses it prolongs its life.
    pub(super) fn touch(&mut self, clock: &Clock) {
        if self.spec.policy.expires.is_some() {
            self.used_at = clock.now();
        }
    }

    /// Takes from its head what has outlived its time. As in `RabbitMQ`, what is behind a message that has
    /// not stays until that one is gone.
    pub(super) fn drop_expired(&mut self, clock: &Clock, dead: &mut VecDeque<Dead>) {
        while self.head_expires() != Moment::NEVER && self.head_expires() < clock.now() {
            if let Some(entry) = self.pop() {
                self.dead_letter(entry, Reason::Expired, dead);
            }
        }
    }

    /// Takes from its head what nobody was there for: too many, or to be delivered at once or never.
    pub(super) fn drop_excess(&mut self, clock: &Clock, dead: &mut VecDeque<Dead>) {
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

    pub(super) fn dead_letter(&self, entry: Entry, reason: Reason, dead: &mut VecDeque<Dead>) {
        if let Some(exchange) = &self.spec.policy.dead_letter_exchange {
            dead.push_back(Dead {
                entry,
                reason,
                queue: Arc::clone(&self.name),
                exchange: Arc::clone(exchange),
                key: self.spec.policy.dead_letter_key.clone(),
            });
        }
    }

    /// Has the clock know when to look at it next.
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
