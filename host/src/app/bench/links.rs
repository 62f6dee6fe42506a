//! The connections of a run.

use std::sync::Arc;

use loghost_core::application::{Consumer, Reads};

use crate::adapters::clock::SystemClock;
use crate::adapters::terminal;
use crate::app::Target;
use crate::app::failure::Failure;
use crate::app::host::refused;
use crate::app::run::fair_prefetch;
use loghost_rabbitmq::{
    AmqpIntake, Exchanges, Lifetime, Link, Names, QueueOptions, QueueType, SourceOptions,
};
use loghost_wasm::WasmConsumer;

/// Declares the queues of these consumers, and connects as their host does.
pub(super) async fn links(target: &Target, consumers: &[WasmConsumer]) -> Result<Links, Failure> {
    // A connection has only so many channels.
    let prefetch = fair_prefetch(consumers.len());
    let declaring = Links::connect(target, prefetch).await?;
    let intake = declaring.intake();
    for consumer in consumers {
        intake.declare(consumer.descriptor(), Reads::of(consumer)).await.map_err(refused)?;
    }
    declaring.close().await;
    Links::connect(target, prefetch).await
}

/// The connections of a run, as a host has them.
pub(super) struct Links {
    pub(super) consuming: Arc<Link>,
    pub(super) publishing: Arc<Link>,
    names: Names,
    prefetch: u16,
}

impl Links {
    async fn connect(target: &Target, prefetch: u16) -> Result<Self, Failure> {
        let consuming = target.connect("measuring: consuming").await?;
        let publishing = target.connect("measuring: publishing").await?;
        Ok(Self { consuming, publishing, names: target.names.clone(), prefetch })
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Where a consumer's logs come from.
    pub(super) fn intake(&self) -> AmqpIntake<SystemClock> {
        let source = SourceOptions {
            queue: QueueOptions::new(Lifetime::Named, QueueType::Classic, terminal::tell),
            prefetch: self.prefetch,
            exchanges: Exchanges::Own,
            marker: None,
            check: None,
        };
        let (consuming, publishing) = (Arc::clone(&self.consuming), Arc::clone(&self.publishing));
        AmqpIntake::new(consuming, publishing, self.names.clone(), source, SystemClock)
    }

    pub(super) async fn close(&self) {
        self.consuming.close().await;
        self.publishing.close().await;
    }
}
