//! Which dead letters are meant.

use super::message::FoundMessage;
use crate::application::ports::Cause;
use crate::domain::{Pattern, Severity};

/// Some of the dead letters: those that all of this is true of, where it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The one at this position, from 1.
    pub number: Option<u32>,
    /// One of these, or any.
    pub severities: Vec<Severity>,
    /// What the source matches.
    pub source: Option<Pattern>,
    /// One of these, or any.
    pub causes: Vec<Cause>,
    /// What the reason contains.
    pub reason: Option<String>,
    /// The id.
    pub id: Option<String>,
    /// Not more than these, from the front.
    pub max: Option<u32>,
}

impl Selection {
    /// Whether a message is one of them, so far as that does not depend on the others. What is no dead letter
    /// is one only where nothing is asked that it has no answer to.
    pub fn has(&self, message: &FoundMessage<'_>) -> bool {
        let Self { number, severities, source, causes, reason, id, max: _ } = self;
        let numbered = number.is_none_or(|number| number == message.number);
        let named = id.as_deref().is_none_or(|id| message.id == Some(id));
        let fits = match &message.dead_letter {
            None => severities.is_empty() && source.is_none() && causes.is_empty() && reason.is_none(),
            Some(facts) => {
                (severities.is_empty()
                    || facts.severity.is_some_and(|severity| severities.contains(&severity)))
                    && source.as_ref().is_none_or(|pattern| facts.is_log() && pattern.matches(facts.source))
                    && (causes.is_empty() || causes.contains(&facts.cause))
                    && reason.as_ref().is_none_or(|part| facts.reason.contains(part))
            }
        };
        numbered && named && fits
    }

    /// Whether one can still be among them, after so many were taken.
    pub fn has_room(&self, taken: u32) -> bool {
        self.max.is_none_or(|max| taken < max)
    }

    /// Whether none behind the message with this number can be one of them.
    pub fn ends_at(&self, number: u32) -> bool {
        self.number == Some(number)
    }

    /// How many they can be, of so many messages.
    pub fn at_most(&self, messages: u32) -> u32 {
        self.max.map_or(messages, |max| max.min(messages))
    }

    /// Whether a single one is asked for, which somebody misses if it is not there.
    pub fn is_of_one(&self) -> bool {
        self.id.is_some() || self.number.is_some()
    }
}
