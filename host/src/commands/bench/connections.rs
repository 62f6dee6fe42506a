//! What the consumers of a run have in common.

use std::sync::Arc;

use loghost_core::application::{Consumer, Observer, Reads};
use loghost_wasm::WasmConsumer;

use crate::compose::connections::Connections;
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::Failure;
use crate::compose::target::{Target, refused};
use crate::platform::clock::SystemClock;
use crate::ui::terminal::LogObserver;

/// Declares the queues of these consumers, and connects as their host does.
pub(super) async fn connect(target: &Target, consumers: &[WasmConsumer]) -> Result<ConsumerBuilder, Failure> {
    // A connection has only so many channels.
    let declaring = builder(target, consumers.len()).await?;
    let source_factory = declaring.source_factory(SystemClock);
    for consumer in consumers {
        source_factory.declare(consumer.descriptor(), Reads::of(consumer)).await.map_err(refused)?;
    }
    declaring.connections.close().await;
    builder(target, consumers.len()).await
}

async fn builder(target: &Target, consumers: usize) -> Result<ConsumerBuilder, Failure> {
    let purposes = ["measuring: consuming", "measuring: publishing"];
    let observer: Arc<dyn Observer> = Arc::new(LogObserver::default());
    let connections = Connections::connect(target, purposes, &observer).await?;
    Ok(ConsumerBuilder::new(connections, options(), consumers))
}

/// What `loghost run` does unless it is told otherwise, but for what is done when something is wrong.
fn options() -> ConsumerOptions {
    ConsumerOptions {
        check_topology_every: None,
        // A consumer that fails is no consumer to measure.
        probe_after: None,
        ..ConsumerOptions::default()
    }
}
