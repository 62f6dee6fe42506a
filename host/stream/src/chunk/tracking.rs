//! Whether a chunk that readers skip holds what the broker tracks. The checksum does not cover the kind of a chunk: one of
//! messages whose kind was damaged would be skipped otherwise.

use super::error::ChunkError;
use super::header::Kind;

/// The numbers of what is tracked: a producer's sequence, a consumer's offset, a time.
const SEQUENCE: u8 = 0;
const OFFSET: u8 = 1;
const TIMESTAMP: u8 = 2;

/// # Errors
/// If `data` is not one simple entry with a list of what is tracked: a type, a name behind its length, and 8 bytes, or 16
/// for a sequence in a snapshot.
pub(super) fn check(kind: Kind, data: &[u8]) -> Result<(), ChunkError> {
    let wrong = ChunkError::Tracking { kind: kind as u8 };
    let (length, mut list) = data.split_first_chunk::<4>().ok_or(wrong)?;
    if u32::from_be_bytes(*length) as usize != list.len() {
        return Err(wrong);
    }
    while let [type_number, name, rest @ ..] = list {
        let value = match *type_number {
            SEQUENCE if kind == Kind::TrackingSnapshot => 16,
            SEQUENCE | OFFSET | TIMESTAMP => 8,
            _ => return Err(wrong),
        };
        list = rest.get(usize::from(*name) + value..).ok_or(wrong)?;
    }
    if list.is_empty() { Ok(()) } else { Err(wrong) }
}
