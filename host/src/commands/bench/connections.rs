//! What the consumers of a run have in common.

use std::sync::Arc;

use loghost_core::application::{Consumer, Observer, Reads, SystemClock};
use loghost_rabbitmq::{QueueType, StreamOptions};
use loghost_wasm::WasmConsumer;

use crate::compose::connections::Connections;
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::Failure;
use crate::compose::target::{Target, refused};
use crate::ui::terminal::LogObserver;

/// What is consumed from.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConsumedQueues {
    pub(crate) queue_type: QueueType,
    /// Without it, it is queues.
    pub(crate) streams: Option<StreamOptions>,
}

impl ConsumedQueues {
    /// What tells a host in a process of its own.
    pub(super) fn arguments(&self) -> Vec<String> {
        let Some(streams) = &self.streams else {
            let queue_type = match self.queue_type {
                QueueType::Classic => "classic",
                QueueType::Quorum => "quorum",
            };
            return vec!["--queue-type".to_owned(), queue_type.to_owned()];
        };
        let mut arguments = ["--queue-type", "stream", "--from", "first"].map(str::to_owned).to_vec();
        if let Some(address) = &streams.address {
            arguments.extend(["--stream-address".to_owned(), address.to_string()]);
        }
        arguments
    }
}

/// Declares the queues of these consumers, and connects as their host does.
pub(super) async fn connect(
    target: &Target,
    queues: &ConsumedQueues,
    consumers: &[WasmConsumer],
) -> Result<ConsumerBuilder, Failure> {
    // A connection has only so many channels.
    let declaring = builder(target, queues, consumers.len()).await?;
    let source_factory = declaring.source_factory(SystemClock);
    for consumer in consumers {
        source_factory.declare(consumer.descriptor(), Reads::of(consumer)).await.map_err(refused)?;
    }
    declaring.connections.close().await;
    builder(target, queues, consumers.len()).await
}

async fn builder(
    target: &Target,
    queues: &ConsumedQueues,
    consumers: usize,
) -> Result<ConsumerBuilder, Failure> {
    let purposes = ["measuring: consuming", "measuring: publishing"];
    let observer: Arc<dyn Observer> = Arc::new(LogObserver::default());
    let connections = Connections::connect(target, purposes, &observer).await?;
    Ok(ConsumerBuilder::new(connections, options(queues), consumers))
}

/// What `loghost run` does unless it is told otherwise, but for what is done when something is wrong.
fn options(queues: &ConsumedQueues) -> ConsumerOptions {
    ConsumerOptions {
        queue_type: queues.queue_type,
        streams: queues.streams.clone(),
        check_topology_every: None,
        // A consumer that fails is no consumer to measure.
        probe_after: None,
        ..ConsumerOptions::default()
    }
}
