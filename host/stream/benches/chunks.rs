//! Reading chunks of logs: what a consumer that only counts needs of each, and what one that reads it whole needs.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use loghost_stream::testing::{ChunkBuilder, log};
use loghost_stream::{Body, Chunk, Compression, Inflater, Item, Message, MessageError, MessageId};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many logs a chunk has: as many as when they are published over AMQP 0-9-1, and with the stream protocol.
const LOGS: [u64; 2] = [20, 100];

fn main() {
    divan::main();
}

/// What a consumer that only counts needs of a log; its figures, so that nothing is left out.
fn count(bytes: &[u8]) -> Result<u64, MessageError> {
    let message = Message::parse(bytes)?;
    let key = message.annotation_text("x-routing-key")?.map_or(0, |key| key.as_bytes().len());
    let properties = message.properties()?;
    let id = match properties.message_id()? {
        Some(MessageId::String(id)) => id.as_bytes().len(),
        _ => 0,
    };
    let time = message.application_properties()?.get("timestamp_in_ms")?.and_then(|time| time.as_i64());
    let time = match time {
        Some(time) => Some(time),
        None => properties.creation_time()?,
    };
    Ok(time.unwrap_or_default().unsigned_abs() + (key + id) as u64)
}

/// What one that reads a log whole needs.
fn read(bytes: &[u8]) -> Result<u64, MessageError> {
    let message = Message::parse(bytes)?;
    let Body::Data(data) = message.body()? else { return Ok(0) };
    let mut read = data.bytes().len();
    for pair in &message.application_properties()? {
        let (key, value) = pair?;
        read += key.as_text().map_or(0, |key| key.to_string_lossy().len());
        read += value.as_text().map_or(0, |value| value.to_string_lossy().len());
    }
    Ok(read as u64 + count(bytes)?)
}

/// Goes over a chunk, checksum included.
fn each(bytes: &[u8], inflater: &mut Inflater, of: fn(&[u8]) -> Result<u64, MessageError>) -> u64 {
    let chunk = Chunk::parse(bytes).expect("a chunk");
    let mut records = chunk.records(0, inflater);
    let mut sum = 0;
    while let Some(item) = records.next_item() {
        match item {
            Item::Message { offset, bytes } => sum += offset + of(bytes).expect("a message"),
            Item::Bad { error, .. } => panic!("{error}"),
        }
    }
    sum
}

fn chunk(logs: u64, compression: Option<Compression>) -> Vec<u8> {
    let logs: Vec<Vec<u8>> = (0..logs).map(log).collect();
    let chunk = ChunkBuilder::new(1_000_000);
    match compression {
        None => logs.iter().fold(chunk, |chunk, log| chunk.entry(log)),
        Some(compression) => chunk.batch(compression, &logs),
    }
    .encode()
}

fn bench(
    bencher: Bencher<'_, '_>,
    logs: u64,
    compression: Option<Compression>,
    of: fn(&[u8]) -> Result<u64, MessageError>,
) {
    let bytes = chunk(logs, compression);
    let mut inflater = Inflater::default();
    bencher
        .counter(ItemsCount::new(logs))
        .counter(BytesCount::new(bytes.len()))
        .bench_local(|| each(black_box(&bytes), &mut inflater, of));
}

/// Checksum and framing alone.
#[divan::bench(args = LOGS)]
fn step_over(bencher: Bencher<'_, '_>, logs: u64) {
    bench(bencher, logs, None, |bytes| Ok(bytes.len() as u64));
}

/// Checksum, and of each log id, time and routing key.
#[divan::bench(args = LOGS)]
fn count_logs(bencher: Bencher<'_, '_>, logs: u64) {
    bench(bencher, logs, None, count);
}

/// Checksum, and of each log id, time, routing key, headers and body.
#[divan::bench(args = LOGS)]
fn read_logs(bencher: Bencher<'_, '_>, logs: u64) {
    bench(bencher, logs, None, read);
}

/// The same as `count_logs`, from a batch.
#[divan::bench(args = Compression::ALL)]
fn count_logs_of_batch(bencher: Bencher<'_, '_>, compression: Compression) {
    bench(bencher, 100, Some(compression), count);
}
