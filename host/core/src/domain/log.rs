//! A log to publish, and a log that was received.

use std::num::NonZeroU64;

use super::{Attributes, MessageId, Severity, Source, Timestamp, TraceContext};

/// A log that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How serious it is.
    pub severity: Severity,
    /// The text.
    pub message: String,
    /// Where it comes from.
    pub source: Option<Source>,
    /// When it was written, if that is known: else it is when it is published.
    pub timestamp: Option<Timestamp>,
    /// What else it says.
    pub attributes: Attributes,
    /// How many consumers are in the chain of derived logs that led to this one.
    pub hops: u8,
}

/// A log that was received. Any program may have sent it: its fields are valid text, and nothing more is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The severity of the exchange it was published to, or what its message says.
    pub severity: Severity,
    /// Whether nothing says so: the severity is the one that was chosen for such logs.
    pub undetermined: bool,
    /// What the producer says, or when it was received.
    pub timestamp: Timestamp,
    /// Which attempt at it this is, from 1.
    pub attempt: u32,
    /// The text; invalid UTF-8 has been replaced.
    pub message: String,
    /// The message id.
    pub id: Option<String>,
    /// Where it comes from; empty if the producer does not say.
    pub source: String,
    /// What else it says, in the order of the keys.
    pub attributes: Vec<(String, String)>,
    /// Whether its routing key was empty: then its id counts among those of the unnamed source, whatever `source` is.
    pub unkeyed: bool,
    /// What the number in its id is counted for.
    pub numbering: Numbering,
    /// Whether it is a dead letter that was sent back.
    pub replayed: bool,
    /// How many consumers are in the chain of derived logs that led to this one.
    pub hops: u8,
    /// The trace that it belongs to, if that is known and looked at.
    pub trace: Option<Box<TraceContext>>,
}

/// What the number in the id of a log is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// The severity and source that the log is read as.
    AsRead,
    /// Others: another log of that severity and source may have the same id, which tells no repetition.
    Otherwise,
}

impl Log {
    /// Has it belong to a trace, if it does not say itself to which, and has room for that.
    pub fn trace(&mut self, context: &TraceContext) {
        let is_added = self.attributes.push(TraceContext::PARENT_KEY, context.to_string()).is_ok();
        if is_added && !context.state().is_empty() {
            // It can go without.
            let _ = self.attributes.push(TraceContext::STATE_KEY, context.state());
        }
    }

    /// The trace that it belongs to, if it says so.
    pub fn traced(&self) -> Option<TraceContext> {
        let attribute = |key| self.attributes.iter().find(|(other, _)| *other == key).map(|(_, value)| value);
        TraceContext::parse(attribute(TraceContext::PARENT_KEY)?, attribute(TraceContext::STATE_KEY))
    }
}

impl Record {
    /// Its producer and its number, if its id tells it from every other log of its severity and source.
    pub(super) fn numbered(&self) -> Option<(&str, NonZeroU64)> {
        self.id.as_deref().filter(|_| self.numbering == Numbering::AsRead).and_then(MessageId::parts)
    }

    /// The routing key that it was published with: its source, unless that was found elsewhere in it.
    pub fn routing_key(&self) -> &str {
        if self.unkeyed { "" } else { &self.source }
    }
}
