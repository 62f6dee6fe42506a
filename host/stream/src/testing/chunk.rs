//! An encoder of chunks and batches.

use std::io::Write;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::{Compression, Kind};

/// Makes a chunk. What it declares is right unless it is told otherwise.
#[derive(Clone, Debug)]
pub struct ChunkBuilder {
    kind: Kind,
    first_offset: u64,
    entries: u16,
    records: u32,
    filter: Vec<u8>,
    data: Vec<u8>,
    trailer: Vec<u8>,
}

impl ChunkBuilder {
    /// An empty one of messages, which begins at this offset.
    pub fn new(first_offset: u64) -> Self {
        Self {
            kind: Kind::User,
            first_offset,
            entries: 0,
            records: 0,
            filter: Vec::new(),
            data: Vec::new(),
            trailer: Vec::new(),
        }
    }

    /// Makes it one of another kind.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds a message.
    ///
    /// # Panics
    /// If it is longer than 31 bits can say.
    #[must_use]
    pub fn entry(mut self, message: &[u8]) -> Self {
        put(&mut self.data, message);
        self.entries += 1;
        self.records += 1;
        self
    }

    /// Adds a batch of messages.
    ///
    /// # Panics
    /// If it is longer than 32 bits can say.
    #[must_use]
    pub fn batch<M: AsRef<[u8]>>(self, compression: Compression, messages: &[M]) -> Self {
        let mut plain = Vec::new();
        for message in messages {
            put(&mut plain, message.as_ref());
        }
        let records = u16::try_from(messages.len()).expect("a test's batch fits 16 bits");
        let data = compress(compression, &plain);
        self.raw_batch(compression as u8, records, length(&plain), &data)
    }

    /// Adds a batch that declares what it is told to.
    ///
    /// # Panics
    /// If the data is longer than 32 bits can say.
    #[must_use]
    pub fn raw_batch(mut self, compression: u8, records: u16, inflated: u32, data: &[u8]) -> Self {
        self.data.push(0x80 | compression << 4);
        self.data.extend(records.to_be_bytes());
        self.data.extend(inflated.to_be_bytes());
        self.data.extend(length(data).to_be_bytes());
        self.data.extend(data);
        self.entries += 1;
        self.records += u32::from(records);
        self
    }

    /// Declares so many entries and records.
    #[must_use]
    pub fn declare(mut self, entries: u16, records: u32) -> Self {
        (self.entries, self.records) = (entries, records);
        self
    }

    /// Gives it a filter and a trailer, which are declared to readers, but not sent to them.
    #[must_use]
    pub fn around(mut self, filter: &[u8], trailer: &[u8]) -> Self {
        (self.filter, self.trailer) = (filter.to_vec(), trailer.to_vec());
        self
    }

    /// As a broker sends it to readers.
    ///
    /// # Panics
    /// If it is longer than 32 bits can say, or its filter than 8.
    pub fn encode(&self) -> Vec<u8> {
        [&self.header()[..], &self.data].concat()
    }

    /// As a broker stores it.
    ///
    /// # Panics
    /// If it is longer than 32 bits can say, or its filter than 8.
    pub fn encode_stored(&self) -> Vec<u8> {
        [&self.header()[..], &self.filter, &self.data, &self.trailer].concat()
    }

    fn header(&self) -> Vec<u8> {
        let mut header = vec![0x50, self.kind as u8];
        header.extend(self.entries.to_be_bytes());
        header.extend(self.records.to_be_bytes());
        header.extend(1_790_000_000_000_i64.to_be_bytes());
        header.extend(1_u64.to_be_bytes());
        header.extend(self.first_offset.to_be_bytes());
        header.extend(crc32fast::hash(&self.data).to_be_bytes());
        header.extend(length(&self.data).to_be_bytes());
        header.extend(length(&self.trailer).to_be_bytes());
        header.push(u8::try_from(self.filter.len()).expect("a test's filter fits 8 bits"));
        header.extend([0; 3]);
        header
    }
}

/// What this compression makes of some bytes.
///
/// # Panics
/// If it cannot, which no bytes are known to make it.
pub fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let done = "compressed into memory";
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).expect(done);
            encoder.finish().expect(done)
        }
        Compression::Snappy => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).expect(done);
            encoder.into_inner().expect(done)
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).expect(done);
            encoder.finish().expect(done)
        }
        Compression::Zstd => compress_to_vec(bytes, CompressionLevel::Fastest),
    }
}

/// A message behind its length.
fn put(into: &mut Vec<u8>, message: &[u8]) {
    into.extend(length(message).to_be_bytes());
    into.extend(message);
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a test's length fits 32 bits")
}
