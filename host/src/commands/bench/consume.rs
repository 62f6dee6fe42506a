//! Consuming: full queues, and consumers that empty them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loghost_core::application::Observer;
use loghost_wasm::WasmConsumer;

use super::consumers::{BenchConsumers, Counted};
use super::environment::Environment;
use super::machine::ProcessTime;
use super::publish::Publisher;
use super::sample::{BenchSample, work};
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::failure::Failure;
use crate::files::bench_plugins::BenchPlugin;

/// How fast so many consumers count `logs` logs each, and what that takes of this process: from before the first is opened
/// until the last log is acknowledged.
pub(super) async fn consume(
    environment: &mut Environment,
    plugin: BenchPlugin,
    plugins: u32,
    size: u64,
    logs: u64,
) -> Result<BenchSample, Failure> {
    let consumers = environment.load_plugins(plugin, plugins)?;
    let builder = environment.connect(&consumers).await?;
    Publisher::open(&builder.connections, size).await?.send(logs).await?;
    let (elapsed, spent) = timed(environment, builder, consumers, logs, &[]).await?;
    Ok(work(logs * u64::from(plugins), elapsed, spent))
}

/// How long consumers take for `logs` logs each, which are in their queues, while `observers` are told of it, and the time of
/// all processors.
pub(super) async fn timed(
    environment: &mut Environment,
    builder: ConsumerBuilder,
    consumers: Vec<WasmConsumer>,
    logs: u64,
    observers: &[Arc<dyn Observer>],
) -> Result<(Duration, Option<Duration>), Failure> {
    let due = logs * consumers.len() as u64;
    let counted = Counted::new(due);
    let (begin, spent) = (Instant::now(), ProcessTime::begin());
    let mut consumers = BenchConsumers::start(&builder, consumers, counted, observers).await?;
    consumers.count().await?;
    let (elapsed, spent) = (begin.elapsed(), spent.end());

    consumers.end(logs).await?;
    builder.connections.close().await;
    environment.delete_queues().await?;
    Ok((elapsed, spent))
}
