//! `loghost run`: plugins side by side, each fed from its own queue.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use loghost_core::application::{Batching, Consume, ConsumeOptions, Consumer, Publish};
use loghost_core::domain::{ConsumerName, Sequencer};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::failure::{Failure, Status, WithStatus};
use super::host::{Target, new_producer, refused};
use super::plugins::{self, PluginSource};
use super::signals::interrupted;
use super::supervise::{Activity, Watched, idle, supervise};
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

    // Nothing is acknowledged before all of them are ready.
    let mut ready = Vec::new();
    for consumer in consumers {
        let source = open(&options, &connection, publishing.as_ref(), &consumer).await?;
        let derived = derived(&options, publishing.as_ref(), &consumer).await?;
        ready.push((consumer, source, derived));
    }
    let queues: Vec<String> = ready
        .iter()
        .map(|(consumer, source, _)| format!("{} ({})", consumer.descriptor().name, source.queue()))
        .collect();
    terminal::notice(&format!("consuming from {}: {}", connection.address(), queues.join(", ")));

    let (stop, stopped) = watch::channel(false);
    let (active, activity) = watch::channel(Activity::now());
    let mut tasks = JoinSet::new();
    for (consumer, source, derived) in ready {
        let name = consumer.descriptor().name.clone();
        let reporter = Watched::new(TerminalReporter::new(options.format), active.clone());
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

    let ending = async {
        tokio::select! {
            () = interrupted => {}
            () = idle(activity, options.until_idle) => {}
        }
    };
    let failure = supervise(tasks, ending, stop).await;
    for connection in [Some(connection), publishing].into_iter().flatten() {
        connection.close().await;
    }
    failure.map_or(Ok(()), |status| Err(Failure::silent(status)))
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
