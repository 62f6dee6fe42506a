//! Opening a consumer's source, at the start and again after each loss: everything that it needs is declared
//! again, because the broker may have come back empty.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use loghost_core::application::{Clock, Intake, Reads, SourceError};
use loghost_core::domain::{Descriptor, Filter};
use tokio::time::{Instant, sleep};

use super::link::{DELAYS, Link};
use super::names::Names;
use super::source::{AmqpSource, SourceOptions};
use super::topology::{self, Exchanges, TopologyError, open_channel};

/// A source that is lost sooner than this is opened again after a delay.
const STEADY: Duration = Duration::from_secs(5);

/// Opens the source of one consumer.
pub(crate) struct AmqpIntake<K> {
    consuming: Arc<Link>,
    publishing: Arc<Link>,
    names: Names,
    options: SourceOptions,
    clock: K,
    delays: ExponentialBackoff,
    /// When it was opened last.
    last: Option<Instant>,
}

impl<K: Clock + Clone> AmqpIntake<K> {
    /// Consumes through one link; dead letters go out through the other.
    pub(crate) fn new(
        consuming: Arc<Link>,
        publishing: Arc<Link>,
        names: Names,
        options: SourceOptions,
        clock: K,
    ) -> Self {
        Self { consuming, publishing, names, options, clock, delays: DELAYS.build(), last: None }
    }

    /// Declares what a source needs and opens none; returns the queue's name.
    pub(crate) async fn declare(
        &self,
        descriptor: &Descriptor,
        reads: Reads,
    ) -> Result<String, TopologyError> {
        let connection = self.consuming.connection().await?;
        topology::declare_exchanges(&connection, &self.names).await?;
        let channel = open_channel(&connection).await?;
        if self.options.has_dead_letters(reads) {
            topology::dead_letters(&channel, &self.names, &descriptor.name).await?;
        }
        let (kind, filter) = (self.options.queue, &descriptor.filter);
        Ok(topology::queue(&channel, &self.names, &descriptor.name, kind, filter, None).await?.name)
    }

    /// Waits, unless the last source has held for a while.
    async fn pause(&mut self) {
        if self.last.is_some_and(|last| last.elapsed() < STEADY) {
            // There is always a next one.
            sleep(self.delays.next().unwrap_or(STEADY)).await;
        } else {
            self.delays = DELAYS.build();
        }
        self.last = Some(Instant::now());
    }
}

impl<K: Clock + Clone + 'static> Intake for AmqpIntake<K> {
    type Source = AmqpSource<K>;

    async fn open(
        &mut self,
        descriptor: &Descriptor,
        reads: Reads,
        former: Option<&Filter>,
    ) -> Result<AmqpSource<K>, SourceError> {
        self.pause().await;
        let connection = self.consuming.connection().await.map_err(TopologyError::from)?;
        if self.options.exchanges == Exchanges::Own {
            connection.answer(topology::declare_exchanges(&connection, &self.names)).await?;
        }
        let (names, publishing) = (self.names.clone(), Arc::clone(&self.publishing));
        let (wanted, options) = ((descriptor, reads, former), self.options.clone());
        let opening = AmqpSource::open(&connection, publishing, names, wanted, options, self.clock.clone());
        Ok(connection.answer(opening).await?)
    }
}
