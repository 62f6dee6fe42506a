//! Where a delivery stands in what it was read from.

use std::sync::Arc;

/// Where a delivery stands in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// In something that forgets what is acknowledged, as a queue does: a number that rises from one delivery to the
    /// next, and means nothing once the source is closed.
    Transient(u64),
    /// In something that keeps what it has delivered, as a stream or a file does.
    Durable(StreamPosition),
}

/// An offset in a stream: the same whoever reads it, and whenever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The name of the stream.
    pub stream: Arc<str>,
    /// The first offset that this delivery stands for: there is nothing for this consumer between here and `offset`.
    pub first: u64,
    /// The delivery's own.
    pub offset: u64,
}

impl Position {
    /// The offset that stays; none of a delivery that is forgotten when it is acknowledged.
    pub fn durable(&self) -> Option<&StreamPosition> {
        match self {
            Self::Durable(position) => Some(position),
            Self::Transient(_) => None,
        }
    }

    /// Whether both stand in one sequence, in which everything through one of them can be acknowledged at once.
    pub fn is_in_sequence_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Transient(_), Self::Transient(_)) => true,
            (Self::Durable(one), Self::Durable(other)) => one.stream == other.stream,
            (Self::Transient(_), Self::Durable(_)) | (Self::Durable(_), Self::Transient(_)) => false,
        }
    }
}
