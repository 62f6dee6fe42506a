//! The entries of a chunk: single messages, and batches of messages that a producer may have compressed.

mod batch;
mod inflate;
mod reader;
mod records;

pub use batch::{BatchError, Compression};
pub use inflate::{DEFAULT_MAX_INFLATED, Inflater};
pub use reader::ChunkReader;
pub use records::{Item, Records};

pub(crate) use batch::{BATCH_HEADER, Batch};

use crate::chunk::{ChunkError, Header};

/// The top bit of an entry that is a batch.
pub(crate) const BATCH_BIT: u8 = 0x80;

/// The length of a message's header in bytes: its length.
pub(crate) const MESSAGE_HEADER: usize = 4;

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry<'a> {
    /// A message.
    Message(&'a [u8]),
    /// Several.
    Batch(Batch<'a>),
}

/// The entries one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'a> {
    rest: &'a [u8],
}

/// An entry that is longer than what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLong {
    needed: u64,
    left: usize,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// What is left.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next one, or nothing at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Result<Entry<'a>, TooLong>> {
        let first = self.rest.first()?;
        let entry = if first & BATCH_BIT == 0 { self.message().map(Entry::Message) } else { self.batch() };
        Some(entry)
    }

    /// A message behind its length, of 32 bits here: the top bit has a meaning in a chunk only, where it is 0.
    #[inline]
    fn message(&mut self) -> Result<&'a [u8], TooLong> {
        let left = self.rest.len();
        let (length, rest) = self
            .rest
            .split_first_chunk::<MESSAGE_HEADER>()
            .ok_or(TooLong { needed: MESSAGE_HEADER as u64, left })?;
        let length = u32::from_be_bytes(*length);
        let (message, rest) = rest
            .split_at_checked(length as usize)
            .ok_or(TooLong { needed: MESSAGE_HEADER as u64 + u64::from(length), left })?;
        self.rest = rest;
        Ok(message)
    }

    fn batch(&mut self) -> Result<Entry<'a>, TooLong> {
        let left = self.rest.len();
        let (header, rest) = self
            .rest
            .split_first_chunk::<BATCH_HEADER>()
            .ok_or(TooLong { needed: BATCH_HEADER as u64, left })?;
        let (batch, length) = Batch::parse(header);
        let (data, rest) = rest
            .split_at_checked(length as usize)
            .ok_or(TooLong { needed: BATCH_HEADER as u64 + u64::from(length), left })?;
        self.rest = rest;
        Ok(Entry::Batch(Batch { data, ..batch }))
    }
}

/// Compares the entries with what the header declares.
pub(crate) fn check(header: &Header, data: &[u8]) -> Result<(), ChunkError> {
    let mut entries = Entries::new(data);
    let (mut number, mut records) = (0_u32, 0_u64);
    while let Some(entry) = entries.next() {
        records += match entry {
            Ok(Entry::Message(_)) => 1,
            Ok(Entry::Batch(batch)) => u64::from(batch.records),
            Err(TooLong { needed, left }) => return Err(ChunkError::Entry { entry: number, needed, left }),
        };
        number += 1;
    }
    if number != u32::from(header.entries) {
        return Err(ChunkError::Entries { declared: header.entries, actual: number });
    }
    if records != u64::from(header.records) {
        return Err(ChunkError::Records { declared: header.records, actual: records });
    }
    Ok(())
}

/// The messages of a batch, as they are when nothing is compressed: each behind its length of 32 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages<'a>(Entries<'a>);

impl<'a> Messages<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Entries::new(bytes))
    }

    /// The next one, and nothing at the end or where what is left is no message.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<&'a [u8]> {
        self.0.message().ok()
    }

    /// How many there are, if they take all of the bytes.
    pub(crate) fn count(mut self) -> Option<u64> {
        let mut count = 0;
        while self.next().is_some() {
            count += 1;
        }
        self.0.rest.is_empty().then_some(count)
    }
}
