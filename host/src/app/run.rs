//! `loghost run`: plugins side by side, each fed from its own queue.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use loghost_core::application::{
    Batching, Consume, ConsumeOptions, Consumer, End, Finished, Publish, Report, ReportError, Reporter,
};
use loghost_core::domain::{ConsumerName, Sequencer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::failure::{Failure, Status, WithStatus};
use super::host::{Target, new_producer, refused};
use super::plugins::{self, PluginSource};
use super::signals::interrupted;
use crate::adapters::amqp::{self, AmqpSink, AmqpSource, Connection, QueueKind, SourceOptions};
use crate::adapters::clock::SystemClock;
use crate::adapters::terminal::{self, Format, TerminalReporter};
use crate::adapters::wasm::{Limits, WasmConsumer};

/// What `run` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Files, and folders of them.
    pub(crate) plugins: Vec<PathBuf>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) limits: Limits,
    pub(crate) format: Format,
    pub(crate) queue: QueueKind,
    pub(crate) purpose: Purpose,
    pub(crate) prefetch: u16,
    pub(crate) every: Duration,
    pub(crate) until_idle: Option<Duration>,
    pub(crate) max_logs: Option<u64>,
    pub(crate) max_batch: usize,
    pub(crate) max_retries: u32,
    pub(crate) derived: Derived,
}

/// Whether plugins may publish logs of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derived {
    /// They may.
    Granted,
    /// They may not, and a plugin that wants to does not start.
    Refused,
}

/// What `run` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To consume.
    Consume,
    /// To leave exchanges, queues and bindings behind, and nothing else.
    Declare,
}

/// Runs the plugins until asked to end, or until all of them have ended.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let consumers = start(&options)?;
    let interrupted = interrupted().status(Status::Internal)?;
    let connection = options.target.connect("consuming").await?;
    amqp::declare_exchanges(&connection, &options.target.names).await.map_err(refused)?;
    if options.purpose == Purpose::Declare {
        return declare(&options, connection, &consumers).await;
    }
    // A broker that blocks publishers must not block acknowledgements: what is published, dead letters
    // included, has a connection of its own.
    let publishing = if consumers.iter().any(Consumer::processes) {
        Some(options.target.connect("publishing").await?)
    } else {
        None
    };

    let (stop, stopped) = watch::channel(false);
    let (active, activity) = watch::channel(Instant::now());
    let mut tasks = JoinSet::new();
    let mut ready = Vec::new();
    for consumer in consumers {
        let name = consumer.descriptor().name.clone();
        let source = open(&options, &connection, publishing.as_ref(), &consumer).await?;
        ready.push(format!("{name} ({})", source.queue()));
        let reporter = Watched { inner: TerminalReporter::new(options.format), active: active.clone() };
        let derived = derived(&options, publishing.as_ref(), &consumer).await?;
        let consume =
            Consume::new(source, consumer, SystemClock, reporter, derived, consume_options(&options));
        let mut stopped = stopped.clone();
        tasks.spawn(async move {
            let shutdown = async move {
                // An error means that the host has gone, which is a reason to stop as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            (name, consume.run(shutdown).await)
        });
    }
    drop(stopped);
    terminal::notice(&format!("consuming from {}: {}", connection.address(), ready.join(", ")));

    let ending = async {
        tokio::select! {
            () = interrupted => {}
            () = idle(activity, options.until_idle) => {}
        }
    };
    let failures = drain(tasks, ending, stop).await;
    for connection in [Some(connection), publishing].into_iter().flatten() {
        connection.close().await;
    }
    match failures {
        None => Ok(()),
        Some(status) => Err(Failure::silent(status)),
    }
}

/// Loads and configures every plugin; no two may have the same name.
fn start(options: &Options) -> Result<Vec<WasmConsumer>, Failure> {
    let runtime = plugins::runtime(options.limits.clone())?;
    let mut names: HashSet<ConsumerName> = HashSet::new();
    let mut consumers = Vec::new();
    for source in PluginSource::files(&options.plugins)? {
        let plugin = plugins::load(&runtime, &source)?;
        let consumer = plugins::start(&runtime, plugin, &source, &options.settings)?;
        let wanted = consumer.descriptor().publishes;
        if !wanted.is_empty() && options.derived == Derived::Refused {
            let text = format!("{source}: wants to publish logs ({wanted}): allow it with --grant publish");
            return Err(Failure::new(Status::BadConfiguration, text));
        }
        let name = &consumer.descriptor().name;
        if !names.insert(name.clone()) {
            let text =
                format!("{source}: another plugin of this run is called `{name}` as well; leave one out");
            return Err(Failure::new(Status::BadConfiguration, text));
        }
        consumers.push(consumer);
    }
    Ok(consumers)
}

async fn declare(
    options: &Options,
    connection: Connection,
    consumers: &[WasmConsumer],
) -> Result<(), Failure> {
    for consumer in consumers {
        let descriptor = consumer.descriptor();
        let source = source_options(options, consumer);
        let queue =
            amqp::declare(&connection, &options.target.names, descriptor, &source).await.map_err(refused)?;
        terminal::notice(&format!(
            "declared {queue} for {}: {}",
            descriptor.name,
            descriptor.filter.severities()
        ));
    }
    connection.close().await;
    Ok(())
}

async fn open(
    options: &Options,
    connection: &Connection,
    publishing: Option<&Connection>,
    consumer: &WasmConsumer,
) -> Result<AmqpSource<SystemClock>, Failure> {
    let source = source_options(options, consumer);
    let names = options.target.names.clone();
    AmqpSource::open(
        connection,
        publishing.unwrap_or(connection),
        names,
        consumer.descriptor(),
        source,
        SystemClock,
    )
    .await
    .map_err(refused)
}

/// Where the logs go that the consumer publishes, if it does.
async fn derived(
    options: &Options,
    publishing: Option<&Connection>,
    consumer: &WasmConsumer,
) -> Result<Option<Publish<AmqpSink, SystemClock>>, Failure> {
    let Some(connection) = publishing.filter(|_| !consumer.descriptor().publishes.is_empty()) else {
        return Ok(None);
    };
    let sink = AmqpSink::open(connection, options.target.names.clone()).await.map_err(refused)?;
    Ok(Some(Publish::new(sink, Sequencer::new(new_producer()?), SystemClock)))
}

fn source_options(options: &Options, consumer: &WasmConsumer) -> SourceOptions {
    SourceOptions {
        queue: options.queue,
        prefetch: options.prefetch,
        reads_logs: consumer.processes(),
        marker: None,
    }
}

fn consume_options(options: &Options) -> ConsumeOptions {
    ConsumeOptions {
        max_batch: options.max_batch,
        batching: Batching::Arrived,
        every: options.every,
        max_logs: options.max_logs,
        max_retries: options.max_retries,
        max_held: usize::from(options.prefetch).div_ceil(2),
    }
}

/// Waits for the tasks, and stops them at the `ending`. Says what went wrong with each; the status is
/// that of the worst.
async fn drain(
    mut tasks: JoinSet<(ConsumerName, Finished)>,
    ending: impl Future<Output = ()>,
    stop: watch::Sender<bool>,
) -> Option<Status> {
    let mut ending = std::pin::pin!(ending);
    let mut stopping = false;
    let mut worst = None;
    loop {
        let joined = tokio::select! {
            joined = tasks.join_next() => joined,
            () = &mut ending, if !stopping => {
                stopping = true;
                let _ = stop.send(true);
                continue;
            }
        };
        let Some(joined) = joined else { return worst };
        let status = match joined {
            Ok((name, finished)) => ended(&name, &finished),
            Err(panic) => {
                terminal::notice(&format!("a consumer's task failed: {panic}"));
                Some(Status::Internal)
            }
        };
        if status == Some(Status::Unavailable) {
            let _ = stop.send(true);
        }
        worst = worst.or(status);
    }
}

/// Says how a consumer ended, unless it ended as it should.
fn ended(name: &ConsumerName, finished: &Finished) -> Option<Status> {
    let (status, advice) = match &finished.end {
        // Where the report failed, whoever read the metrics has gone: nothing is wrong.
        End::Shutdown | End::Enough | End::Marker | End::Report(_) => return None,
        End::Source(_) | End::Sink(_) => (Status::Unavailable, "what was not acknowledged comes again"),
        End::Consumer(_) => (Status::Stopped, "stopped; what it has not counted stays in its queue"),
    };
    let error = anyhow::Error::msg(chain(&finished.end));
    terminal::notice(&format!("{name}: {error:#}: {advice} ({} logs were counted)", finished.counts.total()));
    Some(status)
}

fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Is ready when no consumer has received a log for as long as `limit`; never without one.
async fn idle(activity: watch::Receiver<Instant>, limit: Option<Duration>) {
    let Some(limit) = limit else { return std::future::pending().await };
    loop {
        let quiet_at = *activity.borrow() + limit;
        if quiet_at <= Instant::now() {
            return;
        }
        sleep_until(quiet_at).await;
    }
}

/// A reporter that notes when logs arrive.
struct Watched {
    inner: TerminalReporter,
    active: watch::Sender<Instant>,
}

impl Reporter for Watched {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        self.inner.metric(report)
    }

    fn stray(&mut self, consumer: &ConsumerName, exchange: &str) {
        self.inner.stray(consumer, exchange);
    }

    fn progress(&mut self, consumer: &ConsumerName, logs: u64) {
        self.active.send_replace(Instant::now());
        self.inner.progress(consumer, logs);
    }
}
