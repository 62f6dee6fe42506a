//! The position of a delivery in its source.

use std::sync::Arc;

use super::Timestamp;

/// The position of a delivery in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// In a source that drops what is acknowledged, such as a queue: a number that rises with each delivery, and is
    /// valid only until the source is closed.
    Transient(u64),
    /// In a source that keeps what it has delivered, such as a stream or a file.
    Durable(StreamPosition),
}

/// A position in a stream: the same for every reader, at any time. It is one more than the offset of the log there: 0 stands
/// before the first log, so that a book can note that its consumer begins there, before there is any log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream, which the positions in it share.
    pub stream: Arc<StreamIdentity>,
    /// The first position that this delivery covers: between it and `offset` there is nothing for this consumer.
    pub first: u64,
    /// The position of the delivery itself.
    pub offset: u64,
}

/// A stream, as its reader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamIdentity {
    /// Its name.
    pub name: Arc<str>,
    /// What it is recognised by, if that is known.
    pub fingerprint: Option<Fingerprint>,
}

/// What a stream is recognised by: something that it has at an offset, and that another stream of the same name, made after
/// this one was deleted, has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Where it is.
    pub offset: u64,
    /// What `value` is made of: two of different kinds cannot be compared.
    pub kind: u8,
    /// A digest of it.
    pub value: u64,
}

/// Offsets of a stream that were removed there before its consumer has read them. Some may have had no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedOffsets {
    /// The name of the stream.
    pub stream: Arc<str>,
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// When the stream had what was read last before them, if that is known.
    pub after: Option<Timestamp>,
    /// When the stream had what came next, if that is known.
    pub before: Option<Timestamp>,
}

impl RemovedOffsets {
    /// How many there are: the most logs that can be missing.
    pub fn count(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl Position {
    /// The position in a stream; none for a transient one.
    pub fn durable(&self) -> Option<&StreamPosition> {
        match self {
            Self::Durable(position) => Some(position),
            Self::Transient(_) => None,
        }
    }

    /// Whether both are in the same sequence, in which one acknowledgement can cover everything up to a position.
    pub fn is_in_sequence_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Transient(_), Self::Transient(_)) => true,
            (Self::Durable(one), Self::Durable(other)) => one.stream.name == other.stream.name,
            (Self::Transient(_), Self::Durable(_)) | (Self::Durable(_), Self::Transient(_)) => false,
        }
    }
}
