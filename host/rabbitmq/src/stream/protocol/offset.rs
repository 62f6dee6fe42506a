//! Where in a stream reading begins.

use bytes::{BufMut, BytesMut};

/// Where in a stream reading begins, as in `OffsetSpecification` of the protocol. The broker always begins with a whole
/// chunk, which may hold messages before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// At the first message that the stream has.
    First,
    /// At the last chunk.
    Last,
    /// At the next message.
    Next,
    /// At this offset, or at the first one if that is gone.
    Offset(u64),
    /// At the first chunk that was written at this time or later, in milliseconds since 1970.
    Timestamp(i64),
}

impl OffsetSpec {
    pub(crate) fn put(self, into: &mut BytesMut) {
        match self {
            Self::First => into.put_u16(1),
            Self::Last => into.put_u16(2),
            Self::Next => into.put_u16(3),
            Self::Offset(offset) => {
                into.put_u16(4);
                into.put_u64(offset);
            }
            Self::Timestamp(milliseconds) => {
                into.put_u16(5);
                into.put_i64(milliseconds);
            }
        }
    }
}
