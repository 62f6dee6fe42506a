//! Reads frames from a socket: their type, channel, size and end. Payloads are decoded elsewhere.

use std::io;

use amq_protocol::protocol::constants::FRAME_END;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{AmqpError, Code};

/// Type, channel and size before the payload, and the end after it.
pub(crate) const ENVELOPE: usize = 8;
const HEADER: usize = 7;
/// The most bytes of one read.
const CHUNK: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    socket: R,
    buffer: Vec<u8>,
    /// What was read and not yet returned: `buffer[start..end]`.
    start: usize,
    end: usize,
    frame_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) payload: &'a [u8],
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(socket: R, frame_max: u32) -> Self {
        Self { socket, buffer: vec![0; CHUNK], start: 0, end: 0, frame_max: frame_max as usize }
    }

    pub(crate) fn socket(&self) -> &R {
        &self.socket
    }

    /// Sets the largest frame. Before it is negotiated, frames must not be larger than what every peer accepts (AMQP
    /// 0-9-1, 4.2.3 and `connection.tune`).
    pub(crate) fn set_frame_max(&mut self, frame_max: u32) {
        self.frame_max = frame_max as usize;
    }

    /// The eight bytes that a connection begins with, once they are there.
    pub(crate) fn protocol_header(&mut self) -> Option<[u8; 8]> {
        let header = *self.buffer[self.start..self.end].first_chunk()?;
        self.start += header.len();
        Some(header)
    }

    /// The next frame, if all of it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, AmqpError> {
        let Some(len) = self.next_len()? else {
            return Ok(None);
        };
        let frame = &self.buffer[self.start..self.end];
        if frame.len() < len {
            return Ok(None);
        }
        if frame[len - 1] != FRAME_END {
            return Err(AmqpError::new(
                Code::FrameError,
                format!("frame ends with octet {} instead of {FRAME_END}", frame[len - 1]),
            ));
        }
        self.start += len;
        Ok(Some(Frame {
            kind: frame[0],
            channel: u16::from_be_bytes([frame[1], frame[2]]),
            payload: &frame[HEADER..len - 1],
        }))
    }

    /// Whether `next` would return a frame or an error.
    pub(crate) fn is_ready(&self) -> bool {
        match self.next_len() {
            Ok(Some(len)) => self.end - self.start >= len,
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Whether `fill` has no room, because frames were not taken.
    pub(crate) fn is_full(&self) -> bool {
        self.is_ready() && self.end - self.start == self.buffer.len()
    }

    /// Reads what there is; zero is the end. It is cancel-safe.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        // `next`, which is called before, has checked the size.
        let wanted = self.next_len().ok().flatten().unwrap_or(ENVELOPE);
        if self.buffer.len() - self.start < wanted || self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
        }
        let read = self.socket.read(&mut self.buffer[self.end..]).await?;
        self.end += read;
        Ok(read)
    }

    /// Discards what was read, and reads more.
    pub(crate) async fn skip(&mut self) -> io::Result<usize> {
        (self.start, self.end) = (0, 0);
        let read = self.socket.read(&mut self.buffer).await?;
        self.end = read;
        Ok(read)
    }

    /// The whole length of the frame that begins here, once that can be told.
    fn next_len(&self) -> Result<Option<usize>, AmqpError> {
        let Some(header) = self.buffer[self.start..self.end].first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let size = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
        let len = (size as usize).saturating_add(ENVELOPE);
        if len > self.frame_max {
            return Err(AmqpError::new(
                Code::FrameError,
                format!("frame of {len} octets is larger than {}", self.frame_max),
            ));
        }
        Ok(Some(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(mut input: &[u8], frame_max: u32) -> Result<Vec<(u8, u16, usize)>, AmqpError> {
        let mut reader = FrameReader::new(&mut input, frame_max);
        let mut frames = Vec::new();
        loop {
            while let Some(frame) = reader.next()? {
                frames.push((frame.kind, frame.channel, frame.payload.len()));
            }
            if reader.fill().await.unwrap() == 0 {
                return Ok(frames);
            }
        }
    }

    fn frame(kind: u8, channel: u8, size: usize) -> Vec<u8> {
        let len = u32::try_from(size).unwrap().to_be_bytes();
        [&[kind, 0, channel][..], &len, &vec![7; size], &[FRAME_END]].concat()
    }

    #[tokio::test]
    async fn frames_are_found_whatever_their_size() {
        let sizes = [0, 1, CHUNK, 3 * CHUNK, 5, CHUNK - ENVELOPE, 0];
        let input: Vec<u8> = sizes.iter().flat_map(|&size| frame(3, 2, size)).collect();
        let frames = read_all(&input, 1 << 20).await.unwrap();
        let found: Vec<_> = frames.iter().map(|frame| frame.2).collect();
        assert_eq!(found, sizes);
        assert!(frames.iter().all(|frame| (frame.0, frame.1) == (3, 2)));
    }

    #[tokio::test]
    async fn a_frame_may_fill_frame_max_and_not_exceed_it() {
        assert!(read_all(&frame(3, 1, 4088), 4096).await.is_ok());
        let error = read_all(&frame(3, 1, 4089)[..20], 4096).await.unwrap_err();
        assert_eq!(error.code, Code::FrameError);
    }

    #[tokio::test]
    async fn a_wrong_end_is_an_error() {
        let mut input = frame(1, 1, 3);
        *input.last_mut().unwrap() = 0;
        let error = read_all(&input, 4096).await.unwrap_err();
        assert_eq!(error.code, Code::FrameError);
    }
}
