//! The records of a chunk with their offsets: messages, whether single or in batches.

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
    },
}

/// Goes over the records of a chunk. Not an iterator, because a message of a compressed batch is there only until the
/// next one is asked for.
#[derive(Debug)]
pub struct Records<'a, 'i> {
    entries: Entries<'a>,
    /// The offset of what comes next.
    offset: u64,
    /// What is before this one is stepped over.
    from: u64,
    inflater: &'i mut Inflater,
    open: Open<'a>,
}

/// The batch that is being read.
#[derive(Clone, Copy, Debug)]
enum Open<'a> {
    None,
    /// What is left of one that was not compressed.
    Plain(Messages<'a>),
    /// One that was: what of its bytes comes next, and how many there are.
    Inflated {
        at: usize,
        length: usize,
    },
}

/// What comes next, without borrowing the buffer that it may be in.
enum Found<'a> {
    Message(u64, &'a [u8]),
    Inflated(u64, Range<usize>),
    Bad(u64, u16, BatchError),
}

impl<'a, 'i> Records<'a, 'i> {
    pub(crate) fn new(entries: Entries<'a>, first: u64, from: u64, inflater: &'i mut Inflater) -> Self {
        Self { entries, offset: first, from, inflater, open: Open::None }
    }

    /// The offset of what comes next, or behind the last record.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record from the first offset on that was asked for, or nothing at the end.
    #[inline]
    pub fn next_item(&mut self) -> Option<Item<'_>> {
        Some(match self.find()? {
            Found::Message(offset, bytes) => Item::Message { offset, bytes },
            Found::Inflated(offset, range) => {
                let bytes = self.inflater.inflated().get(range).unwrap_or_default();
                Item::Message { offset, bytes }
            }
            Found::Bad(first, records, error) => Item::Bad { first, records, error },
        })
    }

    #[inline]
    fn find(&mut self) -> Option<Found<'a>> {
        loop {
            if !matches!(self.open, Open::None) {
                match self.next_of_batch() {
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
            match self.entries.next()?.ok()? {
                Entry::Message(bytes) => {
                    let offset = self.offset;
                    self.offset += 1;
                    if offset >= self.from {
                        return Some(Found::Message(offset, bytes));
                    }
                }
                Entry::Batch(batch) => {
                    if let Some(bad) = self.begin(&batch) {
                        return Some(bad);
                    }
                }
            }
        }
    }

    fn next_of_batch(&mut self) -> Option<Found<'a>> {
        match &mut self.open {
            Open::None => None,
            Open::Plain(messages) => messages.next().map(|bytes| Found::Message(self.offset, bytes)),
            Open::Inflated { at, length } => {
                let rest = self.inflater.inflated().get(*at..*length)?;
                let from = *at + MESSAGE_HEADER;
                let range = from..from + Messages::new(rest).next()?.len();
                *at = range.end;
                Some(Found::Inflated(self.offset, range))
            }
        }
    }

    /// Begins with a batch, or steps over it: because it is before what was asked for, or cannot be read.
    fn begin(&mut self, batch: &Batch<'a>) -> Option<Found<'a>> {
        let end = self.offset + u64::from(batch.records);
        let first = self.offset.max(self.from);
        if first >= end {
            self.offset = end;
            return None;
        }
        match self.open(batch) {
            Ok(open) => {
                self.open = open;
                None
            }
            Err(error) => {
                self.offset = end;
                let before = u64::from(batch.records).saturating_sub(end - first);
                // Not more than the batch has.
                let records = batch.records.saturating_sub(u16::try_from(before).unwrap_or(batch.records));
                Some(Found::Bad(first, records, error))
            }
        }
    }

    fn open(&mut self, batch: &Batch<'a>) -> Result<Open<'a>, BatchError> {
        let compression =
            Compression::of(batch.compression).ok_or(BatchError::Compression(batch.compression))?;
        if compression == Compression::None {
            let (declared, actual) = (batch.inflated, batch.data.len());
            return match actual.cmp(&(declared as usize)) {
                Ordering::Less => Err(BatchError::Shorter { declared, actual }),
                Ordering::Greater => Err(BatchError::Longer { declared }),
                Ordering::Equal => check(batch, batch.data).map(Open::Plain),
            };
        }
        let length = self.inflater.inflate(compression, batch)?;
        check(batch, self.inflater.inflated().get(..length).unwrap_or_default())?;
        Ok(Open::Inflated { at: 0, length })
    }
}

/// The messages of a batch, if there are as many as it declares.
fn check<'b>(batch: &Batch<'_>, bytes: &'b [u8]) -> Result<Messages<'b>, BatchError> {
    let messages = Messages::new(bytes);
    match messages.count().ok_or(BatchError::Framing)? {
        actual if actual == u64::from(batch.records) => Ok(messages),
        actual => Err(BatchError::Records { declared: batch.records, actual }),
    }
}
