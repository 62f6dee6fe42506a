//! The records of a chunk with their offsets: messages, whether single or in batches.
//!
//! [`Records`] goes over a chunk that somebody else has; [`ChunkReader`](super::ChunkReader) has it.

use std::cmp::Ordering;
use std::ops::Range;

use super::batch::{Batch, BatchError, Compression};
use super::inflate::Inflater;
use super::{Entries, Entry, MESSAGE_HEADER, Messages};

/// What comes next in a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'r> {
    /// A message.
    Message {
        /// Its offset in the stream.
        offset: u64,
        /// The message, as AMQP 1.0 has it.
        bytes: &'r [u8],
    },
    /// A batch whose messages cannot be read, because its producer made it wrongly. What follows it can.
    Bad {
        /// The offset of the first message, of those that were asked for.
        first: u64,
        /// How many there are, from there on, by what the batch declares.
        records: u16,
        /// What is wrong with it.
        error: BatchError,
        /// What is in it, as it is in the chunk.
        data: &'r [u8],
    },
}

/// Goes over the records of a chunk. Not an iterator, because a message of a compressed batch is there only until the
/// next one is asked for.
#[derive(Debug)]
pub struct Records<'a, 'i> {
    data: &'a [u8],
    position: Position,
    inflater: &'i mut Inflater,
}

impl<'a, 'i> Records<'a, 'i> {
    pub(crate) fn new(data: &'a [u8], first: u64, from: u64, inflater: &'i mut Inflater) -> Self {
        Self { data, position: Position::new(first, from), inflater }
    }

    /// The offset of what comes next, or behind the last record.
    pub fn offset(&self) -> u64 {
        self.position.offset
    }

    /// The next record from the first offset on that was asked for, or nothing at the end.
    #[inline]
    pub fn next_item(&mut self) -> Option<Item<'_>> {
        let found = self.position.find(self.data, self.inflater)?;
        Some(found.item(self.data, self.inflater))
    }
}

/// How far the entries of a chunk were read.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// Where the next entry begins.
    at: usize,
    /// The offset of what comes next.
    offset: u64,
    /// What is before this one is stepped over.
    from: u64,
    open: Open,
}

/// The batch that is being read: what of its bytes comes next. They are in the chunk, or the first so many that the
/// inflater has.
#[derive(Clone, Debug, Default)]
enum Open {
    #[default]
    None,
    Plain(Range<usize>),
    Inflated(Range<usize>),
}

/// What comes next, without borrowing what it is in.
pub(super) enum Found {
    Message(u64, Range<usize>),
    Inflated(u64, Range<usize>),
    Bad(u64, u16, BatchError, Range<usize>),
}

impl Found {
    #[inline]
    pub(super) fn item<'r>(self, data: &'r [u8], inflater: &'r Inflater) -> Item<'r> {
        match self {
            Self::Message(offset, range) => {
                Item::Message { offset, bytes: data.get(range).unwrap_or_default() }
            }
            Self::Inflated(offset, range) => {
                Item::Message { offset, bytes: inflater.inflated().get(range).unwrap_or_default() }
            }
            Self::Bad(first, records, error, range) => {
                Item::Bad { first, records, error, data: data.get(range).unwrap_or_default() }
            }
        }
    }
}

impl Position {
    pub(super) fn new(first: u64, from: u64) -> Self {
        Self { at: 0, offset: first, from, open: Open::None }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record that was asked for. `data` and `inflater` have to be the same at each call.
    #[inline]
    pub(super) fn find(&mut self, data: &[u8], inflater: &mut Inflater) -> Option<Found> {
        loop {
            if !matches!(self.open, Open::None) {
                match self.next_of_batch(data, inflater) {
                    None => self.open = Open::None,
                    Some(found) => {
                        self.offset += 1;
                        if self.offset > self.from {
                            return Some(found);
                        }
                    }
                }
                continue;
            }
            // That each entry is whole was found before.
            let mut entries = Entries::new(data.get(self.at..)?);
            let entry = entries.next()?.ok()?;
            self.at = data.len() - entries.rest().len();
            match entry {
                Entry::Message(bytes) => {
                    let offset = self.offset;
                    self.offset += 1;
                    if offset >= self.from {
                        return Some(Found::Message(offset, self.at - bytes.len()..self.at));
                    }
                }
                Entry::Batch(batch) => {
                    if let Some(bad) = self.begin(&batch, inflater) {
                        return Some(bad);
                    }
                }
            }
        }
    }

    fn next_of_batch(&mut self, data: &[u8], inflater: &Inflater) -> Option<Found> {
        let (bytes, left) = match &mut self.open {
            Open::None => return None,
            Open::Plain(left) => (data, left),
            Open::Inflated(left) => (inflater.inflated(), left),
        };
        let message = Messages::new(bytes.get(left.clone())?).next()?;
        let from = left.start + MESSAGE_HEADER;
        let range = from..from + message.len();
        left.start = range.end;
        Some(match self.open {
            Open::Inflated(_) => Found::Inflated(self.offset, range),
            _ => Found::Message(self.offset, range),
        })
    }

    /// Begins with a batch, which ends where the next entry begins; or steps over it, because it is before what was
    /// asked for, or cannot be read.
    fn begin(&mut self, batch: &Batch<'_>, inflater: &mut Inflater) -> Option<Found> {
        let end = self.offset + u64::from(batch.records);
        let first = self.offset.max(self.from);
        if first >= end {
            self.offset = end;
            return None;
        }
        match self.open(batch, inflater) {
            Ok(open) => {
                self.open = open;
                None
            }
            Err(error) => {
                self.offset = end;
                // Not more than the batch has.
                let records = u16::try_from(end - first).unwrap_or(batch.records);
                Some(Found::Bad(first, records, error, self.at - batch.data.len()..self.at))
            }
        }
    }

    fn open(&self, batch: &Batch<'_>, inflater: &mut Inflater) -> Result<Open, BatchError> {
        let compression =
            Compression::of(batch.compression).ok_or(BatchError::Compression(batch.compression))?;
        if compression == Compression::None {
            let (declared, actual) = (batch.inflated, batch.data.len());
            return match actual.cmp(&(declared as usize)) {
                Ordering::Less => Err(BatchError::Shorter { declared, actual }),
                Ordering::Greater => Err(BatchError::Longer { declared }),
                Ordering::Equal => check(batch, batch.data).map(|()| Open::Plain(self.at - actual..self.at)),
            };
        }
        let length = inflater.inflate(compression, batch)?;
        check(batch, inflater.inflated().get(..length).unwrap_or_default())?;
        Ok(Open::Inflated(0..length))
    }
}

/// # Errors
/// If there are not as many messages in a batch as it declares.
fn check(batch: &Batch<'_>, bytes: &[u8]) -> Result<(), BatchError> {
    match Messages::new(bytes).count().ok_or(BatchError::Framing)? {
        actual if actual == u64::from(batch.records) => Ok(()),
        actual => Err(BatchError::Records { declared: batch.records, actual }),
    }
}
