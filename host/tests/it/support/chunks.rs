//! Chunks in the frames of the stream protocol, as a proxy sees them: where their headers are, what is in them, and other ones made
//! of them.

use std::ops::Range;

use flate2::Crc;

/// The length of a chunk's header.
const HEADER: usize = 48;

/// Where the chunk begins in a frame that delivers one: behind its length, key, version, subscription and, with version 2, the
/// committed chunk.
const fn chunk_in(frame: &[u8]) -> Option<usize> {
    match frame {
        [_, _, _, _, _, 8, _, 1, ..] => Some(9),
        [_, _, _, _, _, 8, _, 2, ..] => Some(17),
        _ => None,
    }
}

/// Where the time is in a frame that delivers a chunk: behind a magic number, a type, and the numbers of entries and records. 8
/// bytes, the highest first.
pub(crate) fn time_in(frame: &[u8]) -> Option<usize> {
    chunk_in(frame).map(|chunk| chunk + 8)
}

/// The offset of the first message of the chunk that a frame delivers, if it delivers one of messages.
pub(crate) fn first_offset(frame: &[u8]) -> Option<u64> {
    let chunk = frame.get(chunk_in(frame)?..).filter(|chunk| chunk.get(1) == Some(&0))?;
    Some(u64::from_be_bytes(chunk.get(24..32)?.try_into().ok()?))
}

/// A chunk as far as it can be changed: its numbers, and its entries.
pub(crate) struct ChunkParts {
    pub(crate) kind: u8,
    pub(crate) entries: u16,
    pub(crate) records: u32,
    pub(crate) data_length: u32,
    pub(crate) data: Vec<u8>,
}

impl ChunkParts {
    /// Where each of its entries is, which are messages, with the four bytes of its length.
    pub(crate) fn messages(&self) -> Vec<Range<usize>> {
        let (mut messages, mut at) = (Vec::new(), 0);
        while let Some(length) = self.data.get(at..at + 4) {
            let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
            let end = at + 4 + usize::try_from(length).expect("a length");
            messages.push(at..end);
            at = end;
        }
        messages
    }
}

/// Has the chunk that a frame delivers be another one, whose checksum is right.
pub(crate) fn change(frame: &mut Vec<u8>, change: impl FnOnce(&mut ChunkParts)) {
    let Some(chunk) = chunk_in(frame) else { return };
    let bytes = |at: usize, length: usize| &frame[chunk + at..chunk + at + length];
    let number = |at| u32::from_be_bytes(bytes(at, 4).try_into().expect("four bytes"));
    let end = chunk + HEADER + usize::try_from(number(36)).expect("a length");
    let trailer = frame[end..].to_vec();
    let mut parts = ChunkParts {
        kind: frame[chunk + 1],
        entries: u16::from_be_bytes(bytes(2, 2).try_into().expect("two bytes")),
        records: number(4),
        data_length: number(36),
        data: frame[chunk + HEADER..end].to_vec(),
    };
    change(&mut parts);
    let mut crc = Crc::new();
    // Of as many bytes as it says, if there are as many.
    let length = usize::try_from(parts.data_length).expect("a length");
    crc.update(parts.data.get(..length).unwrap_or(&parts.data));
    frame.truncate(chunk + HEADER);
    frame[chunk + 1] = parts.kind;
    for (at, bytes) in [
        (2, &parts.entries.to_be_bytes()[..]),
        (4, &parts.records.to_be_bytes()),
        (32, &crc.sum().to_be_bytes()),
        (36, &parts.data_length.to_be_bytes()),
    ] {
        frame[chunk + at..chunk + at + bytes.len()].copy_from_slice(bytes);
    }
    frame.extend([parts.data, trailer].concat());
    let length = u32::try_from(frame.len() - 4).expect("a frame");
    frame[..4].copy_from_slice(&length.to_be_bytes());
}
