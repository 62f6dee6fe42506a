//! What it costs to be watched: the same with a host that nobody watches, and with one that is watched in every way, in turn:
//! over HTTP, by a collector of OpenTelemetry, which gets metrics and traces, and in the view.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use loghost_board::Board;
use loghost_core::application::Observer;
use loghost_core::domain::Sampler;
use loghost_http::{Feed, Server, Shown};
use loghost_otlp::{Exporter, Exports, Options};
use loghost_rabbitmq::Lifetime;
use uuid::Uuid;

use super::collector::SinkCollector;
use super::consume::timed;
use super::environment::Environment;
use super::memory::watched_host;
use super::publish::Publisher;
use super::sample::{BenchSample, work};
use super::watchers::Watchers;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::running::control::Controls;
use crate::compose::running::listen::EventsObserver;
use crate::compose::running::telemetry::tracing;
use crate::files::bench_plugins::BenchPlugin;
use crate::ui::bench::Quantity;
use crate::ui::events::Queues;
use crate::ui::terminal::LogObserver;
use crate::ui::view::OffscreenView;

/// Any free port.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How often metrics are sent: far more often than by default.
const SEND_EVERY: Duration = Duration::from_secs(1);

/// How many logs a plugin has counted when the host's memory is looked at.
const MEMORY_LOGS: u64 = 1000;

/// How fast a consumer counts `logs` logs, what part of that is left when it is watched, and how much more memory a host
/// has then.
pub(super) async fn observed(
    environment: &mut Environment,
    plugin: BenchPlugin,
    size: u64,
    one_recorded_of: u32,
    logs: u64,
) -> Result<BenchSample, Failure> {
    let traces = tracing(Sampler::parent_or_ratio(1.0 / f64::from(one_recorded_of)));
    let (mut alone, mut watched, mut spent) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    // A machine that becomes faster or slower meanwhile does so for both.
    for is_watched in [false, true, true, false] {
        let consumers = environment.load_plugins(plugin, 1)?;
        let builder = environment.connect(&consumers).await?;
        // Whether anybody looks at the traces or not: what a log has is the same.
        Publisher::open(&builder.connections, size).await?.traced(traces.clone()).send(logs).await?;
        if is_watched {
            let watch = Watched::begin().await?;
            let builder = builder.tracing(Some(tracing(sampler())));
            watched += timed(environment, builder, consumers, logs, &watch.observers).await?.0;
            watch.end().await?;
        } else {
            let (elapsed, used) = timed(environment, builder, consumers, logs, &[]).await?;
            alone += elapsed;
            spent += used.unwrap_or_default();
        }
    }
    let mut sample = work(2 * logs, alone, (!spent.is_zero()).then_some(spent));
    sample.push((Quantity::ObservedShare, alone.as_secs_f64() / watched.as_secs_f64()));
    let few = logs.min(MEMORY_LOGS);
    let collector = SinkCollector::begin().await?;
    // Free when it is asked for; that nobody takes it until then is likely.
    let free = TcpListener::bind(ANY).and_then(|it| it.local_addr()).context("no free port");
    let by = (free.status(Status::System)?, &collector, &traces);
    let more = watched_host(environment, plugin, few, by).await?;
    sample.extend(more.map(|more| (Quantity::ObserversMemory, more)));
    Ok(sample)
}

/// Records what is recorded elsewhere, as by default.
fn sampler() -> Sampler {
    Sampler::parent_or_ratio(1.0)
}

/// What of a host is watched, and those who watch it.
struct Watched {
    observers: Vec<Arc<dyn Observer>>,
    server: Server,
    watchers: Watchers,
    exporter: Exporter,
    _collector: SinkCollector,
    _view: OffscreenView,
}

impl Watched {
    async fn begin() -> Result<Self, Failure> {
        let (board, feed) = (Arc::new(Board::default()), Feed::default());
        let version = env!("CARGO_PKG_VERSION");
        let (measuring, _) = Controls::new(Lifetime::Named);
        let collector = SinkCollector::begin().await?;
        let options = Options {
            metrics: Some(collector.endpoint("metrics")),
            traces: Some(collector.endpoint("traces")),
            interval: SEND_EVERY,
            sampler: sampler(),
            resource: Vec::new(),
        };
        let exports = Exports {
            board: Arc::clone(&board),
            measuring: Arc::clone(&measuring) as _,
            observer: Arc::new(LogObserver::default()),
            version,
            instance: Uuid::new_v4().to_string(),
        };
        let exporter = Exporter::start(options, exports);
        let mut observers: Vec<Arc<dyn Observer>> =
            vec![Arc::clone(&board) as _, EventsObserver::of(feed.clone(), Queues::Named)];
        observers.extend(exporter.spans().map(|spans| spans as _));
        let view = OffscreenView::start(Arc::clone(&board)).status(Status::System)?;
        let shown = Shown { board, feed, token: None, control: None, measuring, version };
        let server = Server::bind(ANY, shown).await.status(Status::System)?;
        let watchers = Watchers::begin(server.address()).await.status(Status::Internal)?;
        Ok(Self { observers, server, watchers, exporter, _collector: collector, _view: view })
    }

    async fn end(self) -> Result<(), Failure> {
        self.watchers.end().status(Status::Internal)?;
        self.exporter.end().await;
        self.server.end().await;
        Ok(())
    }
}
