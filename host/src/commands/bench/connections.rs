//! The connections of a run.

use std::sync::Arc;

use loghost_core::application::{Consumer, Reads};
use loghost_rabbitmq::{
    AmqpSourceFactory, Exchanges, Lifetime, Names, QueueOptions, QueueType, ReconnectingConnection,
    SourceOptions,
};
use loghost_wasm::WasmConsumer;

use crate::commands::run::fair_prefetch;
use crate::compose::failure::Failure;
use crate::compose::target::Target;
use crate::compose::target::refused;
use crate::platform::clock::SystemClock;
use crate::ui::terminal;

/// Declares the queues of these consumers, and connects as their host does.
pub(super) async fn connections(target: &Target, consumers: &[WasmConsumer]) -> Result<Connections, Failure> {
    // A connection has only so many channels.
    let prefetch = fair_prefetch(consumers.len());
    let declaring = Connections::connect(target, prefetch).await?;
    let source_factory = declaring.source_factory();
    for consumer in consumers {
        source_factory.declare(consumer.descriptor(), Reads::of(consumer)).await.map_err(refused)?;
    }
    declaring.close().await;
    Connections::connect(target, prefetch).await
}

/// The connections of a run, as a host has them.
pub(super) struct Connections {
    pub(super) consuming: Arc<ReconnectingConnection>,
    pub(super) publishing: Arc<ReconnectingConnection>,
    names: Names,
    prefetch: u16,
}

impl Connections {
    async fn connect(target: &Target, prefetch: u16) -> Result<Self, Failure> {
        let consuming = target.connect("measuring: consuming").await?;
        let publishing = target.connect("measuring: publishing").await?;
        Ok(Self { consuming, publishing, names: target.names.clone(), prefetch })
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Where a consumer's logs come from.
    pub(super) fn source_factory(&self) -> AmqpSourceFactory<SystemClock> {
        let source = SourceOptions {
            queue: QueueOptions::new(Lifetime::Named, QueueType::Classic, terminal::tell),
            prefetch: self.prefetch,
            exchanges: Exchanges::Own,
            marker: None,
            check: None,
        };
        let (consuming, publishing) = (Arc::clone(&self.consuming), Arc::clone(&self.publishing));
        AmqpSourceFactory::new(consuming, publishing, self.names.clone(), source, SystemClock)
    }

    pub(super) async fn close(&self) {
        self.consuming.close().await;
        self.publishing.close().await;
    }
}
