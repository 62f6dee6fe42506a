//! What a stream is recognised by: what was stored at one of its offsets. A stream of the same name that is made after this one
//! was deleted has something else there.
//!
//! Through the stream protocol that is a chunk, of which there is one more each time: when it was written, and its checksum.
//! AMQP 0-9-1 does not tell these: there it is a message, by its id and its time.

use lapin::message::Delivery as Message;
use loghost_core::domain::Fingerprint;
use loghost_stream::{Header, Kind};

/// Marks fingerprints of chunks.
pub(super) const CHUNK: u8 = 1;

/// Marks fingerprints of messages.
pub(super) const MESSAGE: u8 = 2;

/// Of a chunk; none of one that is the broker's own.
pub(super) fn of_chunk(header: &Header) -> Option<Fingerprint> {
    if header.kind != Kind::User {
        return None;
    }
    let value = joined(header.crc, header.timestamp_ms.cast_unsigned());
    Some(Fingerprint { offset: header.first_offset, kind: CHUNK, value })
}

/// Of the message at `offset`; none of one without an id and a time.
pub(super) fn of_message(offset: u64, message: &Message) -> Option<Fingerprint> {
    let (id, timestamp) = (message.properties.message_id(), message.properties.timestamp());
    if id.is_none() && timestamp.is_none() {
        return None;
    }
    let id = id.as_ref().map_or(&[][..], |id| id.as_str().as_bytes());
    let value = joined(crc32fast::hash(id), timestamp.unwrap_or_default());
    Some(Fingerprint { offset, kind: MESSAGE, value })
}

/// Both, of a time its lower half, which changes.
fn joined(checksum: u32, time: u64) -> u64 {
    u64::from(checksum) << 32 | time & u64::from(u32::MAX)
}
