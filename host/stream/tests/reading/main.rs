//! Chunks, batches and messages, as brokers and producers write them, and as they must not be.

mod batches;
mod captured;
mod chunks;
mod messages;

use loghost_stream::testing::ChunkBuilder;
use loghost_stream::{BatchError, Chunk, ChunkReader, Compression, Inflater, Item};

/// What was found: an offset and a message, or a bad batch's first offset, number of records and error.
#[derive(Debug, PartialEq)]
enum Found {
    Message(u64, Vec<u8>),
    Bad(u64, u16, BatchError),
}

impl Found {
    fn of(item: Item<'_>) -> Self {
        match item {
            Item::Message { offset, bytes } => Self::Message(offset, bytes.to_vec()),
            Item::Bad { first, records, error, .. } => Self::Bad(first, records, error),
        }
    }
}

/// Everything in a chunk from an offset on, by each way to read one.
fn read_from(bytes: &[u8], from: u64, inflater: &mut Inflater) -> Vec<Found> {
    let chunk = Chunk::parse(bytes).expect("a chunk");
    let mut records = chunk.records(from, inflater);
    let mut found = Vec::new();
    while let Some(item) = records.next_item() {
        found.push(Found::of(item));
    }
    assert_eq!(records.offset(), chunk.header().next_offset());
    assert_eq!(read_with_pauses(bytes, from, inflater.max()), found);
    found
}

/// The same behind other bytes of a frame, and of a reader that had begun with another chunk.
fn read_with_pauses(bytes: &[u8], from: u64, max: usize) -> Vec<Found> {
    let mut reader = ChunkReader::new(Inflater::new(max));
    let other = ChunkBuilder::new(1).batch(Compression::Gzip, &["one", "two"]).encode();
    reader.begin(other, 0, 0).expect("a chunk");
    assert!(matches!(reader.next_item(), Some(Item::Message { offset: 1, bytes: b"one" })));
    let header = reader.begin([b"frame", bytes].concat(), 5, from).expect("a chunk");
    let mut found = Vec::new();
    while let Some(item) = reader.next_item() {
        found.push(Found::of(item));
    }
    assert_eq!(reader.offset(), header.next_offset());
    assert_eq!(reader.take(), Some([b"frame", bytes].concat()));
    assert_eq!(reader.next_item(), None);
    found
}

#[test]
fn a_reader_has_no_chunk_after_one_that_is_refused() {
    let mut reader = ChunkReader::new(Inflater::default());
    let chunk = ChunkBuilder::new(1).entry(b"one").encode();
    reader.begin(chunk.clone(), 0, 0).expect("a chunk");
    for at in [1, chunk.len(), usize::MAX] {
        assert!(reader.begin(chunk.clone(), at, 0).is_err());
        assert_eq!(reader.next_item(), None);
    }
}

/// Everything in a chunk.
fn read(chunk: &[u8]) -> Vec<Found> {
    read_from(chunk, 0, &mut Inflater::default())
}

/// Messages with the offsets that they should have.
fn messages<M: AsRef<[u8]>>(first: u64, messages: &[M]) -> Vec<Found> {
    (first..)
        .zip(messages)
        .map(|(offset, message)| Found::Message(offset, message.as_ref().to_vec()))
        .collect()
}

/// Bytes out of hexadecimal digits.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = text.bytes().filter_map(digit).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
