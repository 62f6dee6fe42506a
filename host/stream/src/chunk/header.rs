//! The header of a chunk: 48 bytes, big-endian.

use super::error::ChunkError;

/// The length of a header in bytes.
const LENGTH: usize = 48;

/// The magic number 5 and the version 0, four bits each.
const MAGIC: u8 = 0x50;

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Messages.
    User = 0,
    /// What the broker tracks, such as stored offsets: changes. Not for readers.
    TrackingDelta = 1,
    /// What the broker tracks: all of it. Not for readers.
    TrackingSnapshot = 2,
}

/// The header of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is in it.
    pub kind: Kind,
    /// How many entries there are: single messages, and batches of them.
    pub entries: u16,
    /// How many records there are, each with an offset: messages, those in batches counted one by one.
    pub records: u32,
    /// When the broker wrote it: milliseconds since 1970, by its clock.
    pub timestamp_ms: i64,
    /// How often the stream had changed its leader.
    pub epoch: u64,
    /// The offset of the first record.
    pub first_offset: u64,
    /// The CRC-32 of the entries.
    pub crc: u32,
    /// The length of the entries in bytes.
    pub data_length: u32,
    /// The length of the trailer in bytes, which is not sent to readers.
    pub trailer_length: u32,
    /// The length of the filter in bytes, which is not sent to readers.
    pub filter_size: u8,
}

impl Header {
    /// Reads the header that `bytes` begins with; the rest is what is behind it.
    ///
    /// # Errors
    /// If it is truncated, not a chunk's, of an unknown version or kind, or has offsets that exceed 64 bits. Nothing
    /// behind it is looked at.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ChunkError> {
        let truncated = ChunkError::Truncated { header: LENGTH, actual: bytes.len() };
        let (fields, rest) = bytes.split_first_chunk::<LENGTH>().ok_or(truncated)?;
        if fields[0] != MAGIC {
            return Err(ChunkError::Magic(fields[0]));
        }
        let header = Self {
            kind: match fields[1] {
                0 => Kind::User,
                1 => Kind::TrackingDelta,
                2 => Kind::TrackingSnapshot,
                other => return Err(ChunkError::Kind(other)),
            },
            entries: u16::from_be_bytes(field(fields, 2)),
            records: u32::from_be_bytes(field(fields, 4)),
            timestamp_ms: i64::from_be_bytes(field(fields, 8)),
            epoch: u64::from_be_bytes(field(fields, 16)),
            first_offset: u64::from_be_bytes(field(fields, 24)),
            crc: u32::from_be_bytes(field(fields, 32)),
            data_length: u32::from_be_bytes(field(fields, 36)),
            trailer_length: u32::from_be_bytes(field(fields, 40)),
            filter_size: fields[44],
        };
        if header.first_offset.checked_add(u64::from(header.records)).is_none() {
            return Err(ChunkError::Offset { first: header.first_offset, records: header.records });
        }
        Ok((header, rest))
    }

    /// The offset behind the last record: that of the next chunk, or below it, because what the broker tracks takes
    /// offsets as well.
    pub fn next_offset(&self) -> u64 {
        // `parse` refuses what would exceed 64 bits, but the fields are public.
        self.first_offset.saturating_add(u64::from(self.records))
    }
}

/// `N` bytes of the header, from `at` on.
fn field<const N: usize>(fields: &[u8; LENGTH], at: usize) -> [u8; N] {
    std::array::from_fn(|n| fields[at + n])
}
