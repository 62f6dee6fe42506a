//! A chunk: what one `Deliver` command carries, and the unit that the broker stores and replicates. The format is
//! described in `src/osiris_log.erl` of <https://github.com/rabbitmq/osiris>.

mod error;
mod header;
mod tracking;

pub use error::ChunkError;
pub use header::{Header, Kind};

use crate::entries::{self, Entries, Inflater, Records};

/// A chunk whose checksum and framing were found right.
///
/// The checksum covers the entries, not the header. Of the header, what can be compared is: the lengths with what is
/// there, the numbers of entries and records with the entries, and the kind with their form. Nothing here can tell
/// that a timestamp, an epoch or the first offset was changed on the way; whoever reads a stream knows which offset
/// comes next.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    header: Header,
    data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Reads a chunk that takes all of `bytes`, in one of the forms that a broker sends: the entries alone behind the
    /// header (to readers of the stream protocol: filter and trailer are left out although the header has their
    /// lengths), the entries and the trailer, or all three parts.
    ///
    /// # Errors
    /// If it is not whole: nothing of it may be used.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ChunkError> {
        let (header, rest) = Header::parse(bytes)?;
        let data = data(&header, rest)?;
        let crc = crc32fast::hash(data);
        if crc != header.crc {
            return Err(ChunkError::Crc { declared: header.crc, actual: crc });
        }
        entries::check(&header, data)?;
        if header.kind != Kind::User {
            tracking::check(header.kind, data)?;
        }
        Ok(Self { header, data })
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The records from the offset `from` on. What is before it is stepped over without inflating it. A chunk that is
    /// not [`Kind::User`] has none for readers.
    pub fn records<'i>(&self, from: u64, inflater: &'i mut Inflater) -> Records<'a, 'i> {
        let data = if self.header.kind == Kind::User { self.data } else { &[] };
        Records::new(Entries::new(data), self.header.first_offset, from, inflater)
    }
}

/// The entries among what is behind the header: the parts that are there follow from the length.
fn data<'a>(header: &Header, rest: &'a [u8]) -> Result<&'a [u8], ChunkError> {
    let there = rest.len() as u64;
    let (data, trailer) = (u64::from(header.data_length), u64::from(header.trailer_length));
    let filter = usize::from(header.filter_size);
    let from = if there == data || there == data + trailer {
        0
    } else if there == filter as u64 + data + trailer {
        filter
    } else {
        return Err(ChunkError::Length {
            filter: header.filter_size,
            data: header.data_length,
            trailer: header.trailer_length,
            actual: there,
        });
    };
    let (_, rest) = rest.split_at(from);
    // Not longer than what is there, so this is a length in memory.
    Ok(rest.split_at(rest.len().min(header.data_length as usize)).0)
}
