//! The use case itself, between a source, a consumer and a reporter that do nothing: what it adds to a log.

use std::collections::VecDeque;
use std::future::pending;

use divan::Bencher;
use divan::counter::ItemsCount;
use loghost_core::application::{Consume, ConsumeOptions, DeadLettering, Reads, Tolerance};
use loghost_core::domain::{Processed, Severity};
use loghost_core::testing::{
    Calls, FakeConsumer, FakeSource, SourceEnd, adapters, delivery, descriptor, logs, options,
};
use tokio::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LOGS: usize = 10_240;

fn consume(bencher: Bencher<'_, '_>, burst: usize, reads: Reads) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let now = Instant::now();
    let deliveries: VecDeque<_> = (1..=LOGS as u64).map(|n| (now, delivery(n, logs::record(n)))).collect();
    let consumer = FakeConsumer {
        descriptor: descriptor("bench", Severity::ALL),
        reads,
        process: |_| Ok(Processed::default()),
        calls: Calls::default(),
    };
    let options = ConsumeOptions {
        max_batch: 256,
        max_logs: Some(LOGS as u64),
        max_retries: 5,
        max_waiting: 500,
        tolerance: Tolerance::default(),
        ..options()
    };
    bencher
        .counter(ItemsCount::new(LOGS))
        .with_inputs(|| {
            let source = FakeSource {
                deliveries: deliveries.clone(),
                burst,
                most_unacknowledged: None,
                end: SourceEnd::Silence,
                dead_lettering: DeadLettering::Ready(()),
                calls: Calls::default(),
            };
            Consume::new(adapters(source, consumer.clone()), options.clone())
        })
        .bench_local_values(|mut consume| {
            runtime.block_on(async {
                consume.open().await.expect("a source");
                consume.run(pending()).await
            })
        });
}

#[divan::bench(args = [1, 16, 256])]
fn counting(bencher: Bencher<'_, '_>, burst: usize) {
    consume(bencher, burst, Reads::Counts);
}

#[divan::bench(args = [1, 16, 256])]
fn processing(bencher: Bencher<'_, '_>, burst: usize) {
    consume(bencher, burst, Reads::Logs);
}

fn main() {
    divan::main();
}
