//! Publishing: persistent, confirmed, into a queue that nobody empties meanwhile.

use std::time::Instant;

use loghost_core::application::{Publish, SystemClock};
use loghost_core::domain::{Attributes, Log, Sequencer, Severity, Source, Tracing};
use loghost_rabbitmq::{AmqpSink, Exchanges};

use super::environment::Environment;
use super::machine::ProcessTime;
use super::sample::{BenchSample, work};
use crate::compose::connections::Connections;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::target::{new_producer, unpublished};
use crate::files::bench_plugins::BenchPlugin;

/// How fast `logs` logs are published and confirmed, and what that takes of this process.
pub(super) async fn publish(
    environment: &mut Environment,
    size: u64,
    logs: u64,
) -> Result<BenchSample, Failure> {
    let consumers = environment.load_plugins(BenchPlugin::Counting, 1)?;
    let builder = environment.connect(&consumers).await?;
    let mut publisher = Publisher::open(&builder.connections, size).await?;

    let (begin, spent) = (Instant::now(), ProcessTime::begin());
    publisher.send(logs).await?;
    let (elapsed, spent) = (begin.elapsed(), spent.end());

    builder.connections.close().await;
    environment.delete_queues().await?;
    Ok(work(logs, elapsed, spent))
}

/// Publishes the same log again and again.
pub(super) struct Publisher {
    publish: Publish<AmqpSink, SystemClock>,
    log: Log,
    tracing: Option<Tracing>,
}

impl Publisher {
    /// A publisher of logs whose text has `size` bytes.
    pub(super) async fn open(connections: &Connections, size: u64) -> Result<Self, Failure> {
        let sink = connections.sink(Exchanges::Own, []).await?;
        let log = Log {
            severity: Severity::Info,
            message: text(size),
            source: Some(Source::new("bench").status(Status::Internal)?),
            timestamp: None,
            attributes: Attributes::default(),
            hops: 0,
        };
        let publish = Publish::new(sink, Sequencer::new(new_producer()?), SystemClock);
        Ok(Self { publish, log, tracing: None })
    }

    /// The same, each of whose logs belongs to a trace of its own.
    pub(super) fn traced(self, tracing: Tracing) -> Self {
        Self { tracing: Some(tracing), ..self }
    }

    /// Publishes it so many times, and returns when all of them are in a queue.
    pub(super) async fn send(&mut self, logs: u64) -> Result<(), Failure> {
        for _ in 0..logs {
            self.one().await?;
        }
        self.finish().await
    }

    /// Publishes it once; returns before there is an answer.
    pub(super) async fn one(&mut self) -> Result<(), Failure> {
        if let Some(tracing) = &self.tracing {
            self.log.attributes = Attributes::default();
            self.log.trace(&tracing.begin());
        }
        self.publish.log(&self.log).await.map_err(unpublished)
    }

    /// Waits for the answers that are due.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        self.publish.flush().await.map_err(unpublished)
    }

    /// Waits for the answers that are due; all must be good.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        self.flush().await?;
        let receipts = self.publish.receipts();
        let lost = receipts.refused.total() + receipts.unroutable.total();
        if lost == 0 {
            return Ok(());
        }
        let text = format!("the broker did not keep {lost} logs: nothing is measured so");
        Err(Failure::new(Status::Unavailable, text))
    }
}

/// What a log says, again and again until it has so many bytes.
fn text(size: u64) -> String {
    const LINE: &str = "GET /api/v1/items/4711 200 in 12 ms from 192.0.2.17, user agent curl/8.5.0; ";
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    LINE.chars().cycle().take(size).collect()
}
