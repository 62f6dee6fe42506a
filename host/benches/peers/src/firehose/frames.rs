//! Reads frames from a socket.

use std::io::{self, Read};

/// Type, channel and size before the payload.
const HEADER: usize = 7;

/// What is read at once, if there is as much.
const CHUNK: usize = 256 * 1024;

/// A frame as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) payload: &'a [u8],
    /// All of it, for the codec.
    pub(crate) whole: &'a [u8],
}

/// What has been read and not been cut yet: `buffer[start..end]`.
pub(crate) struct Frames {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; CHUNK], start: 0, end: 0 }
    }

    /// The eight bytes that a connection begins with, once they are there.
    pub(crate) fn protocol_header(&mut self) -> Option<[u8; 8]> {
        let header = *self.buffer[self.start..self.end].first_chunk()?;
        self.start += header.len();
        Some(header)
    }

    /// The next frame, if all of it is there.
    pub(crate) fn next(&mut self) -> Option<Frame<'_>> {
        let rest = &self.buffer[self.start..self.end];
        let [kind, c1, c0, s3, s2, s1, s0] = *rest.first_chunk::<HEADER>()?;
        let size = u32::from_be_bytes([s3, s2, s1, s0]) as usize;
        let whole = rest.get(..HEADER + size + 1)?;
        self.start += whole.len();
        let (channel, payload) = (u16::from_be_bytes([c1, c0]), &whole[HEADER..HEADER + size]);
        Some(Frame { kind, channel, payload, whole })
    }

    /// Waits for more; false at the end.
    pub(crate) fn fill(&mut self, mut socket: impl Read) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            return Err(io::Error::other("a frame is larger than was agreed"));
        }
        let read = socket.read(&mut self.buffer[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }
}
