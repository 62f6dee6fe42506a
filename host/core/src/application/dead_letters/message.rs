//! What is known of a message among the dead letters.

use crate::application::ports::Cause;
use crate::domain::Severity;

/// A message that was found where a consumer's dead letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundMessage<'a> {
    /// Its position there, from 1.
    pub number: u32,
    /// Its id, if it has one.
    pub id: Option<&'a str>,
    /// What it is as a dead letter; none if it is none of this consumer's.
    pub dead_letter: Option<DeadLetterFacts<'a>>,
}

/// What the rules ask of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterFacts<'a> {
    /// The log's severity; none of a message that was not published as a log.
    pub severity: Option<Severity>,
    /// The log's source; empty if it has none.
    pub source: &'a str,
    /// Why it was given up, by kind.
    pub cause: Cause,
    /// Why it was given up, as text.
    pub reason: &'a str,
    /// Whether it says where it was published to.
    pub is_route_known: bool,
}

impl DeadLetterFacts<'_> {
    /// Whether it is a log.
    pub fn is_log(&self) -> bool {
        self.severity.is_some()
    }

    /// Whether it can be sent back: it is a log, or an undeliverable message whose exchange is known.
    pub fn can_be_replayed(&self) -> bool {
        self.is_log() || self.cause == Cause::Undeliverable && self.is_route_known
    }
}
