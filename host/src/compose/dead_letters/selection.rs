//! Which dead letters are meant.

use loghost_core::application::Cause;
use loghost_core::domain::{Pattern, Severity, printable_line};
use loghost_rabbitmq::DeadLetter;

/// Some of the dead letters: those that all of this is true of, where it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) number: Option<u32>,
    /// One of these, or any.
    pub(crate) severities: Vec<Severity>,
    pub(crate) source: Option<Pattern>,
    /// One of these, or any.
    pub(crate) causes: Vec<Cause>,
    /// What the reason contains.
    pub(crate) reason: Option<String>,
    pub(crate) id: Option<String>,
    /// Not more than these.
    pub(crate) max: Option<u32>,
}

impl Selection {
    /// What the one is called that is asked for, if it is one.
    pub(crate) fn one(&self) -> Option<String> {
        let number = || self.number.map(|number| format!("number {number}"));
        self.id.as_ref().map(|id| format!("id {}", printable_line(id))).or_else(number)
    }

    /// Whether a dead letter is one of them, so far as that does not depend on the others. What is no dead letter
    /// is one only where nothing is asked that it has no answer to.
    pub(crate) fn has(&self, dead_letter: &DeadLetter) -> bool {
        let Self { number, severities, source, causes, reason, id, max: _ } = self;
        let numbered = number.is_none_or(|number| number == dead_letter.number);
        let named = id.as_deref().is_none_or(|id| dead_letter.id() == Some(id));
        let fits = match &dead_letter.headers {
            None => severities.is_empty() && source.is_none() && causes.is_empty() && reason.is_none(),
            Some(headers) => {
                (severities.is_empty()
                    || headers.severity.is_some_and(|severity| severities.contains(&severity)))
                    && source
                        .as_ref()
                        .is_none_or(|pattern| headers.is_log() && pattern.matches(&headers.source))
                    && (causes.is_empty() || causes.contains(&headers.cause))
                    && reason.as_ref().is_none_or(|part| headers.reason.contains(part))
            }
        };
        numbered && named && fits
    }
}
