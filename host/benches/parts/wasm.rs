//! One call of a plugin that reads every log, for each size of batch, beside the same work in native Rust.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use loghost::parts::Guest;
use loghost_core::domain::Record;
use tokio::runtime::Runtime;

use super::logs;

const READING: &[u8] = include_bytes!("../plugins/bench-reading.wasm");

fn batch(size: usize) -> Vec<Record> {
    (1..=size as u64).map(logs::record).collect()
}

#[divan::bench(args = logs::BATCHES)]
fn plugin(bencher: Bencher<'_, '_>, size: usize) {
    let (records, mut guest) = (batch(size), Guest::start(READING).expect("a plugin"));
    let runtime = Runtime::new().expect("a runtime");
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let processed = runtime.block_on(guest.process(black_box(&records)));
        processed.expect("an answer")
    });
}

#[divan::bench(args = logs::BATCHES)]
fn native(bencher: Bencher<'_, '_>, size: usize) {
    let records = batch(size);
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        black_box(&records).iter().filter(|record| record.message.contains("timeout")).count()
    });
}
