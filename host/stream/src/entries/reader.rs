//! Reading chunk after chunk, with pauses: for who cannot go over a whole chunk at once.

use std::ops::Range;

use super::inflate::Inflater;
use super::records::{Item, Position};
use crate::chunk::{Chunk, ChunkError, Header};

/// Has the chunk that is being read, and the memory that batches are inflated to. `B` is what frames come in, such as
/// `Vec<u8>`.
#[derive(Debug)]
pub struct ChunkReader<B> {
    bytes: Option<B>,
    /// Where in the bytes the entries are.
    data: Range<usize>,
    position: Position,
    inflater: Inflater,
}

impl<B: AsRef<[u8]>> ChunkReader<B> {
    /// One that has no chunk yet.
    pub fn new(inflater: Inflater) -> Self {
        Self { bytes: None, data: 0..0, position: Position::default(), inflater }
    }

    /// Takes a chunk, which begins in `bytes` at `at`, to be read from the offset `from` on. What is left of the one
    /// before is dropped.
    ///
    /// # Errors
    /// If it is not whole, as of [`Chunk::parse`]. There is no chunk then.
    pub fn begin(&mut self, bytes: B, at: usize, from: u64) -> Result<Header, ChunkError> {
        self.bytes = None;
        let whole = bytes.as_ref();
        let chunk = Chunk::parse(whole.get(at..).unwrap_or_default())?;
        let header = *chunk.header();
        let data = chunk.messages();
        self.data = data.start + at..data.end + at;
        self.position = Position::new(header.first_offset, from);
        self.bytes = Some(bytes);
        Ok(header)
    }

    /// The offset of what comes next, or behind the last record of the chunk.
    pub fn offset(&self) -> u64 {
        self.position.offset()
    }

    /// The next record from the first offset on that was asked for, or nothing at the end of the chunk.
    #[inline]
    pub fn next_item(&mut self) -> Option<Item<'_>> {
        let data = self.bytes.as_ref()?.as_ref().get(self.data.clone())?;
        let found = self.position.find(data, &mut self.inflater)?;
        Some(found.item(data, &self.inflater))
    }

    /// The bytes that the chunk is in, for who uses them again. There is no chunk then.
    pub fn take(&mut self) -> Option<B> {
        self.bytes.take()
    }
}
