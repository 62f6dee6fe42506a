//! Finding frames in the bytes that arrive.
//!
//! Knows of a frame its length and whether it is a `Deliver`; knows no socket.

use bytes::{Buf, Bytes, BytesMut};

use crate::stream::protocol::command::DELIVER;
use crate::stream::protocol::error::ProtocolError;

/// The longest frame until both sides have agreed on another length, and the longest that is agreed on, in bytes. It is
/// the broker's default.
pub(crate) const FRAME_MAX: u32 = 1024 * 1024;

/// The longest delivery in bytes. What both sides agree on does not hold for deliveries: the broker sends a chunk as it is
/// on its disk, and there is one message of up to `max_message_size` in it, 16 MiB by default, or many smaller ones.
const DELIVERY_MAX: usize = 256 * 1024 * 1024;

/// The key and the version.
const HEADER: usize = 4;

/// For how many bytes room is made at once where no frame needs more. Chunks are parts of it, and keep all of it.
const READ: usize = 64 * 1024;

/// With less room than this, more is made.
const READ_MIN: usize = 8 * 1024;

/// For how many bytes there is room at most before they have arrived.
const READ_MAX: usize = 1024 * 1024;

/// What has arrived and is not a whole frame yet.
pub(crate) struct FrameBuffer {
    buffer: BytesMut,
    /// The longest frame that is not a delivery, in bytes.
    max: u32,
    /// How many bytes are missing of the frame that has begun.
    missing: usize,
}

impl FrameBuffer {
    pub(crate) fn new() -> Self {
        Self { buffer: BytesMut::new(), max: FRAME_MAX, missing: 0 }
    }

    /// Has frames refused that are longer than what was agreed on.
    pub(crate) fn agree(&mut self, max: u32) {
        self.max = max;
    }

    /// Where to append what is read. There is room for [`READ_MIN`] at least, and for about [`READ_MAX`] at most.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        let needed = self.missing.clamp(READ_MIN, READ_MAX);
        if self.buffer.capacity() - self.buffer.len() < needed {
            self.buffer.reserve(needed.max(READ));
        }
        &mut self.buffer
    }

    /// The next frame, without its length, if all of it has arrived.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        self.missing = 0;
        let Some((length, rest)) = self.buffer.split_first_chunk() else { return Ok(None) };
        let announced = u32::from_be_bytes(*length);
        let length = usize::try_from(announced).map_err(|_| self.too_long(announced))?;
        if length < HEADER {
            return Err(ProtocolError::Truncated);
        }
        if announced > self.max {
            let Some(key) = rest.first_chunk() else { return Ok(None) };
            if u16::from_be_bytes(*key) != DELIVER || length > DELIVERY_MAX {
                return Err(self.too_long(announced));
            }
        }
        if rest.len() < length {
            self.missing = length - rest.len();
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether a part of a frame has arrived that is not whole yet.
    pub(crate) fn has_begun(&self) -> bool {
        !self.buffer.is_empty()
    }

    fn too_long(&self, length: u32) -> ProtocolError {
        ProtocolError::TooLong { length, max: self.max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: u32, key: u16, body: usize) -> Vec<u8> {
        [&length.to_be_bytes()[..], &key.to_be_bytes(), &[0, 1], &vec![7; body]].concat()
    }

    #[test]
    fn a_frame_comes_whole_however_it_arrives() {
        let mut frames = FrameBuffer::new();
        let bytes = [frame(4, 23, 0), frame(9, 8, 5)].concat();
        let mut found = Vec::new();
        for byte in bytes {
            frames.room().extend_from_slice(&[byte]);
            found.extend(frames.next().unwrap());
        }
        assert_eq!(found, [&[0, 23, 0, 1][..], &[0, 8, 0, 1, 7, 7, 7, 7, 7]]);
    }

    #[test]
    fn a_length_is_refused_before_anything_is_allocated_for_it() {
        let longest = u32::try_from(DELIVERY_MAX).unwrap();
        for (length, key) in [(FRAME_MAX + 1, 15), (u32::MAX, 15), (longest + 1, 8), (u32::MAX, 8)] {
            let mut frames = FrameBuffer::new();
            frames.room().extend_from_slice(&frame(length, key, 0));
            assert!(matches!(frames.next(), Err(ProtocolError::TooLong { .. })), "{length} {key}");
        }
        for length in 0..4 {
            let mut frames = FrameBuffer::new();
            frames.room().extend_from_slice(&frame(length, 23, 0));
            assert_eq!(frames.next(), Err(ProtocolError::Truncated), "{length}");
        }
        let mut frames = FrameBuffer::new();
        frames.agree(100);
        frames.room().extend_from_slice(&frame(101, 15, 97));
        assert_eq!(frames.next(), Err(ProtocolError::TooLong { length: 101, max: 100 }));
    }

    #[test]
    fn a_delivery_may_be_longer_and_takes_memory_as_it_arrives() {
        let mut frames = FrameBuffer::new();
        frames.room().extend_from_slice(&frame(200 * 1024 * 1024, 8, 0));
        assert_eq!(frames.next(), Ok(None));
        assert!(frames.room().capacity() <= 2 * READ_MAX);
    }
}
