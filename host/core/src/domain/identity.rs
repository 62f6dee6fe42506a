//! Message ids: a producer and a sequence number.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use super::{Severity, Source};

/// The name of a producer, unique for ever: 1 to 64 characters of `A-Z`, `a-z`, `0-9`, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Producer(Arc<str>);

/// A text that cannot name a producer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a producer: expected 1 to 64 characters of A-Z, a-z, 0-9, `-`, `_` and `.`")]
pub struct ProducerError(String);

impl Producer {
    /// Takes `name` as a producer's.
    pub fn new(name: impl Into<String>) -> Result<Self, ProducerError> {
        let name = name.into();
        if Self::is_valid(&name) { Ok(Self(name.into())) } else { Err(ProducerError(name)) }
    }

    fn is_valid(name: &str) -> bool {
        (1..=64).contains(&name.len()) && name.bytes().all(Self::may_contain)
    }

    fn may_contain(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a message: `loghost:<producer>/<n>`, where n counts from 1 for each producer, severity and
/// source. Bindings select by severity and source, so every queue gets each sequence whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// Who sent it.
    pub producer: Producer,
    /// Its sequence number among the producer's logs of the same severity and source, from 1.
    pub sequence: NonZeroU64,
}

/// A message id of another form: the log is foreign, and counted at least once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form `loghost:<producer>/<n>`")]
pub struct MessageIdError;

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loghost:{}/{}", self.producer.as_str(), self.sequence)
    }
}

impl MessageId {
    /// Parses an id without copying it: the producer's name, and the number. This is done for every log: no byte of the name
    /// is looked at twice.
    pub(super) fn parts(text: &str) -> Option<(&str, NonZeroU64)> {
        let rest = text.strip_prefix("loghost:")?;
        let end = rest
            .bytes()
            .position(|byte| !Producer::may_contain(byte))
            .filter(|end| (1..=64).contains(end))?;
        let (producer, sequence) = rest.split_at_checked(end)?;
        // No leading zeros or signs: each id has exactly one spelling.
        let sequence =
            sequence.strip_prefix('/').filter(|digits| digits.starts_with(|c| matches!(c, '1'..='9')))?;
        Some((producer, sequence.parse().ok()?))
    }
}

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (producer, sequence) = Self::parts(text).ok_or(MessageIdError)?;
        Ok(Self { producer: Producer(producer.into()), sequence })
    }
}

/// Gives out the message ids of one producer. Its memory grows with the number of different sources.
#[derive(Debug)]
pub struct Sequencer {
    producer: Producer,
    last: HashMap<(Severity, Option<Source>), NonZeroU64>,
}

impl Sequencer {
    /// A sequencer whose every sequence begins at 1.
    pub fn new(producer: Producer) -> Self {
        Self { producer, last: HashMap::new() }
    }

    /// The next id of a log of `severity` from `source`.
    pub fn next_id(&mut self, severity: Severity, source: Option<&Source>) -> MessageId {
        let sequence = self
            .last
            .entry((severity, source.cloned()))
            .and_modify(|last| *last = last.saturating_add(1))
            .or_insert(NonZeroU64::MIN);
        MessageId { producer: self.producer.clone(), sequence: *sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_count_for_each_severity_and_source() {
        let mut sequencer = Sequencer::new(Producer::new("p").unwrap());
        let web = Source::new("web").unwrap();
        let mut next = |severity, source| sequencer.next_id(severity, source).to_string();
        assert_eq!(next(Severity::Info, None), "loghost:p/1");
        assert_eq!(next(Severity::Info, Some(&web)), "loghost:p/1");
        assert_eq!(next(Severity::Info, None), "loghost:p/2");
        assert_eq!(next(Severity::Error, None), "loghost:p/1");
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id: MessageId = "loghost:web-1.a/42".parse().unwrap();
        assert_eq!(id.to_string(), "loghost:web-1.a/42");
        assert!(format!("loghost:{}/1", "p".repeat(64)).parse::<MessageId>().is_ok());
        for foreign in [
            "",
            "42",
            "loghost:/1",
            "loghost:p/0",
            "loghost:p/01",
            "loghost:p/+1",
            "loghost:p/",
            "loghost:p p/1",
            "loghost:p/18446744073709551616",
            "loghost:p/1x",
            "loghost:p",
            "loghost:p/q/1",
            "loghost:pö/1",
            &format!("loghost:{}/1", "p".repeat(65)),
        ] {
            assert_eq!(foreign.parse::<MessageId>(), Err(MessageIdError), "{foreign}");
        }
    }
}
