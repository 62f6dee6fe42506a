//! A chunk: what one `Deliver` command carries, and the unit that the broker stores and replicates. The format is
//! described in `src/osiris_log.erl` of <https://github.com/rabbitmq/osiris>.

mod error;
mod header;
mod tracking;

pub use error::ChunkError;
pub use header::{Header, Kind};

use std::ops::Range;

use crate::entries::{self, Inflater, Records};

/// A chunk whose checksum and framing were found right.
///
/// The checksum covers the entries, not the header. Of the header, what can be compared is: the lengths with what is
/// there, the numbers of entries and records with the entries, and the kind with their form. Nothing here can tell
/// that a timestamp, an epoch or the first offset was changed on the way; whoever reads a stream knows which offset
/// comes next.
#[derive(Clone, Debug)]
pub struct Chunk<'a> {
    header: Header,
    bytes: &'a [u8],
    /// Where in the bytes the entries are.
    data: Range<usize>,
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
        let range = entries_of(&header, rest.len())?;
        let data = rest.get(range.clone()).unwrap_or_default();
        let crc = crc32fast::hash(data);
        if crc != header.crc {
            return Err(ChunkError::Crc { declared: header.crc, actual: crc });
        }
        entries::check(&header, data)?;
        if header.kind != Kind::User {
            tracking::check(header.kind, data)?;
        }
        let before = bytes.len() - rest.len();
        Ok(Self { header, bytes, data: range.start + before..range.end + before })
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The records from the offset `from` on. What is before it is stepped over without inflating it. A chunk that is
    /// not [`Kind::User`] has none for readers.
    pub fn records<'i>(&self, from: u64, inflater: &'i mut Inflater) -> Records<'a, 'i> {
        let data = self.bytes.get(self.messages()).unwrap_or_default();
        Records::new(data, self.header.first_offset, from, inflater)
    }

    /// Where in the bytes the entries are that are for readers.
    pub(crate) fn messages(&self) -> Range<usize> {
        if self.header.kind == Kind::User { self.data.clone() } else { 0..0 }
    }
}

/// Where the entries are among so many bytes behind the header: which parts are there follows from the length.
fn entries_of(header: &Header, there: usize) -> Result<Range<usize>, ChunkError> {
    let (data, trailer) = (u64::from(header.data_length), u64::from(header.trailer_length));
    let (filter, length) = (u64::from(header.filter_size), there as u64);
    let start = if length == data || length == data + trailer {
        0
    } else if length == filter + data + trailer {
        usize::from(header.filter_size)
    } else {
        return Err(ChunkError::Length {
            filter: header.filter_size,
            data: header.data_length,
            trailer: header.trailer_length,
            actual: length,
        });
    };
    // No longer than what is there, so that it is a length in memory.
    Ok(start..start + header.data_length as usize)
}
