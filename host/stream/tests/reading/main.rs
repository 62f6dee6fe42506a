//! Chunks, batches and messages, as brokers and producers write them, and as they must not be.

mod batches;
mod chunks;
mod messages;

use loghost_stream::{BatchError, Chunk, Inflater, Item};

/// What was found: an offset and a message, or a bad batch's first offset, number of records and error.
#[derive(Debug, PartialEq)]
enum Found {
    Message(u64, Vec<u8>),
    Bad(u64, u16, BatchError),
}

/// Everything in a chunk from an offset on.
fn read_from(chunk: &[u8], from: u64, inflater: &mut Inflater) -> Vec<Found> {
    let chunk = Chunk::parse(chunk).expect("a chunk");
    let mut records = chunk.records(from, inflater);
    let mut found = Vec::new();
    while let Some(item) = records.next_item() {
        found.push(match item {
            Item::Message { offset, bytes } => Found::Message(offset, bytes.to_vec()),
            Item::Bad { first, records, error } => Found::Bad(first, records, error),
        });
    }
    assert_eq!(records.offset(), chunk.header().next_offset());
    found
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
