//! What a scenario says, one thing at a time.

use std::fmt;
use std::num::NonZeroU64;

use crate::domain::{ConsumerName, Log};

/// One thing that a scenario says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this log so many times.
    Logs {
        /// The log.
        log: Log,
        /// How many times it is sent.
        times: NonZeroU64,
    },
    /// At the end, this consumer must have written this metric.
    Expect(Expectation),
}

/// What a consumer must write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The consumer.
    pub consumer: ConsumerRef,
    /// What it is configured with: keys, each once, and values.
    pub settings: Vec<(String, String)>,
    /// Its metric, word for word.
    pub text: String,
    /// The line of the `expect`, from 1.
    pub line: u64,
}

/// How a scenario names a consumer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsumerRef {
    /// A plugin that comes with loghost, if there is one of this name.
    Bundled(ConsumerName),
    /// A plugin's file, as a path relative to the scenario's.
    File(String),
}

impl ConsumerRef {
    /// Takes `text` as a path if it looks like one, and otherwise as a name; none if it cannot be one.
    pub fn new(text: String) -> Option<Self> {
        // Not by `Path::extension`: what a scenario means must not depend on the system.
        if text.contains('/') || text.strip_suffix(".wasm").is_some() {
            return Some(Self::File(text));
        }
        ConsumerName::new(text).ok().map(Self::Bundled)
    }
}

impl fmt::Display for ConsumerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled(name) => name.fmt(f),
            Self::File(path) => f.pad(path),
        }
    }
}
