//! Where a log comes from.

use std::fmt;
use std::sync::Arc;

/// The name of what wrote a log: a service, a machine. It travels as the AMQP routing key and `app-id`,
/// both short strings: 1 to 255 bytes (AMQP 0-9-1, section 4.2.5.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source(Arc<str>);

/// Why a text cannot be a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceNameError {
    /// It has no character.
    #[error("a source must not be empty")]
    Empty,
    /// It is longer than AMQP can carry.
    #[error("a source has at most 255 bytes, this one has {0}")]
    TooLong(usize),
}

impl Source {
    /// Takes `name` as a source.
    pub fn new(name: impl Into<String>) -> Result<Self, SourceNameError> {
        let name = name.into();
        match name.len() {
            0 => Err(SourceNameError::Empty),
            1..=255 => Ok(Self(name.into())),
            length => Err(SourceNameError::TooLong(length)),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
