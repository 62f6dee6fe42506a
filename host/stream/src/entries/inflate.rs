//! Inflating a batch into a buffer that is used again, within bounds.
//!
//! All decoders are Rust: no C compiler for whatever this is built for, and no C that parses what producers send.
//! `flate2` on `zlib-rs`, `snap` and `lz4_flex` are about as fast as the libraries in C; `ruzstd` takes two to three
//! times what `zstd` does. The formats are those of the Java, Go, .NET and Python clients: gzip, Snappy and LZ4 in
//! their frames, Zstandard.

use std::io::{self, ErrorKind, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::batch::{Batch, BatchError, Compression};

/// How long a batch may be when it is inflated, in bytes, unless the reader says otherwise: what the Java client takes.
pub const DEFAULT_MAX_INFLATED: usize = 64 * 1024 * 1024;

/// What the buffer begins with, in bytes. It grows as the decoder goes on, not as the producer declares.
const FIRST: usize = 64 * 1024;

/// The window in bytes that each decoder of Zstandard should support (RFC 8878, section 3.1.1.1.2).
const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

/// Inflates batches, one at a time.
///
/// The buffer never exceeds what a batch declares, and a batch that declares more than the limit is refused. The
/// decoders' own buffers come on top while they work: for Zstandard its window, of 8 MiB or what the batch declares; for
/// LZ4 three blocks, of up to 4 MiB each (8 MiB in its legacy format); for the others less than 200 KiB.
#[derive(Debug)]
pub struct Inflater {
    max: usize,
    buffer: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_INFLATED)
    }
}

impl Inflater {
    /// One that takes batches of up to `max` bytes each, inflated.
    pub fn new(max: usize) -> Self {
        Self { max, buffer: Vec::new() }
    }

    /// How many bytes a batch may have, inflated.
    pub fn max(&self) -> usize {
        self.max
    }

    /// The bytes of memory that the buffer has: as many as the largest batch so far needed.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// What was inflated last; what is behind it is of no meaning.
    #[inline]
    pub(super) fn inflated(&self) -> &[u8] {
        &self.buffer
    }

    /// Inflates a batch that is compressed; its length in bytes, which is what it declares.
    pub(super) fn inflate(
        &mut self,
        compression: Compression,
        batch: &Batch<'_>,
    ) -> Result<usize, BatchError> {
        let declared = batch.inflated as usize;
        if declared > self.max {
            return Err(BatchError::TooLarge { declared: batch.inflated, max: self.max });
        }
        let data = batch.data;
        let length = match compression {
            Compression::None => self.fill(declared, data),
            Compression::Gzip => self.fill(declared, flate2::bufread::MultiGzDecoder::new(data)),
            Compression::Snappy => self.fill(declared, snap::read::FrameDecoder::new(data)),
            Compression::Lz4 => self.fill(declared, lz4_flex::frame::FrameDecoder::new(data)),
            Compression::Zstd => self.fill(declared, Zstd::new(data, declared)),
        };
        match length {
            Ok(Some(length)) if length == declared => Ok(length),
            Ok(Some(actual)) => Err(BatchError::Shorter { declared: batch.inflated, actual }),
            Ok(None) => Err(BatchError::Longer { declared: batch.inflated }),
            Err(error) => Err(BatchError::Inflate { compression, reason: error.to_string() }),
        }
    }

    /// Reads up to `declared` bytes into the buffer; how many there were, or nothing if there were more.
    fn fill(&mut self, declared: usize, mut from: impl Read) -> io::Result<Option<usize>> {
        let mut length = 0;
        while length < declared {
            if length == self.buffer.len() {
                let larger = length.saturating_mul(2).max(FIRST).min(declared);
                self.buffer.reserve_exact(larger - length);
                self.buffer.resize(larger, 0);
            }
            let end = self.buffer.len().min(declared);
            match from.read(&mut self.buffer[length..end]) {
                Ok(0) => return Ok(Some(length)),
                Ok(read) => length += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // The checksums at the end are compared by reading on.
        let more = from.read(&mut [0])?;
        Ok((more == 0).then_some(length))
    }
}

/// Reads one Zstandard frame after the other.
struct Zstd<'a> {
    decoder: FrameDecoder,
    data: &'a [u8],
}

impl<'a> Zstd<'a> {
    fn new(data: &'a [u8], declared: usize) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW.max(declared as u64));
        Self { decoder, data }
    }

    /// Begins the next frame.
    fn begin(&mut self) -> io::Result<()> {
        match self.decoder.reset(&mut self.data) {
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                self.data = self.data.get(length as usize..).ok_or(ErrorKind::UnexpectedEof)?;
                Ok(())
            }
            other => other.map_err(io::Error::other),
        }
    }

    /// Compares the checksum of a frame that ends, if it has one.
    fn end(&self) -> io::Result<()> {
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(declared), Some(actual)) if declared != actual => {
                Err(io::Error::other("the content's checksum is another"))
            }
            _ => Ok(()),
        }
    }
}

impl Read for Zstd<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if self.decoder.is_finished() {
                self.end()?;
                if self.data.is_empty() {
                    return Ok(0);
                }
                self.begin()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.data, one).map_err(io::Error::other)?;
            }
        }
        self.decoder.read(into)
    }
}
