//! What a consumer is and what it wants.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Filter, Severities};

/// What a consumer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Names it, its queue and its counts.
    pub name: ConsumerName,
    /// Its version, for people.
    pub version: String,
    /// What it does, for people.
    pub description: String,
    /// The logs that it wants.
    pub filter: Filter,
    /// The parts of a log that it reads.
    pub fields: Fields,
    /// The severities of the logs that it publishes.
    pub publishes: Severities,
    /// The time without a log after which it is called with an empty batch.
    pub tick: Option<Duration>,
}

/// The parts of a record that are handed over only where they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The message id.
    pub id: bool,
    /// Where the log comes from.
    pub source: bool,
    /// What else it says.
    pub attributes: bool,
}

/// The name of a consumer: 1 to 64 characters of `a-z`, `0-9` and `-`; not `dead`, which ends the names
/// of the dead-letter queues.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerName(String);

/// A text that cannot name a consumer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot name a consumer: expected 1 to 64 characters of a-z, 0-9 and `-`, other than `dead`")]
pub struct ConsumerNameError(String);

impl ConsumerName {
    /// Takes `name` as a consumer's.
    pub fn new(name: impl Into<String>) -> Result<Self, ConsumerNameError> {
        let name = name.into();
        let valid = (1..=64).contains(&name.len())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && name != "dead";
        if valid { Ok(Self(name)) } else { Err(ConsumerNameError(name)) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConsumerName {
    type Err = ConsumerNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
