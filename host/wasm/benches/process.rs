//! One call of a plugin that reads every log, for each size of batch, beside the same work in native Rust.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use loghost_core::application::Consumer as _;
use loghost_core::domain::{Record, Timestamp};
use loghost_core::testing::logs;
use loghost_wasm::{Limits, Plugin, Runtime as Engine, WasmConsumer};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const READING: &[u8] = include_bytes!("../../benches/plugins/bench-reading.wasm");

fn batch(size: usize) -> Vec<Record> {
    (1..=size as u64).map(logs::record).collect()
}

#[divan::bench(args = logs::BATCHES)]
fn plugin(bencher: Bencher<'_, '_>, size: usize) {
    let (records, engine) = (batch(size), Engine::new(Limits::default()).expect("an engine"));
    let plugin = Arc::new(Plugin::load(&engine, READING).expect("a plugin"));
    let quiet = Arc::new(|_: &_, _, _: &_| {});
    let mut consumer = WasmConsumer::start(&engine, plugin, "", Vec::new(), quiet).expect("a consumer");
    let runtime = Runtime::new().expect("a runtime");
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let processed = runtime.block_on(consumer.process(Timestamp::default(), black_box(&records)));
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

fn main() {
    divan::main();
}
