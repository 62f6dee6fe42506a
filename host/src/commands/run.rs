//! `loghost run`: plugins side by side, each fed from its own queue.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{FutureExt, try_join};
use futures_util::stream::{self, StreamExt};
use loghost_core::application::{
    Adapters, Batching, Consume, ConsumeOptions, Consumer, ConsumerActivity, End, Notice, Opening, Ports,
    Publish, Reads, SavedState, Tolerance,
};
use loghost_core::domain::{ConsumerName, Descriptor, Sequencer};
use loghost_rabbitmq::{
    AmqpSink, AmqpSourceFactory, CheckOptions, Declaration, Exchanges, Inspector, Lifetime, ManagementUrl,
    QueueDepth, QueueOptions, QueueType, ReconnectingConnection, SourceOptions,
};
use loghost_store::state::State;
use loghost_wasm::{Limits, WasmConsumer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::idle::{Activity, Watched, idle};
use crate::compose::limits::{self, Patience};
use crate::compose::loading::{self, Started, say};
use crate::compose::plugins::{Derived, PluginLoader};
use crate::compose::reload::{Member, Reloads, Trigger};
use crate::compose::settings::Settings;
use crate::compose::state;
use crate::compose::supervise::{
    Ended, Ending, MOST_OPENING, OnFailure, chain, run_alone, status_of, supervise,
};
use crate::compose::target::{Target, new_producer, refused, unpublished};
use crate::platform::clock::SystemClock;
use crate::platform::leaps::tell_leaps;
use crate::platform::signals::{Hangups, interrupted_but_by_hangup};
use crate::ui::terminal::{self, Format, TerminalReporter};

/// What `run` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    /// Files, and folders of them.
    pub(crate) plugins: Vec<PathBuf>,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) format: Format,
    /// How long the queues live.
    pub(crate) lifetime: Lifetime,
    /// What named queues are declared as.
    pub(crate) queue_type: QueueType,
    pub(crate) purpose: Purpose,
    /// How many logs of a consumer may be under way; without it, as many as is fair.
    pub(crate) prefetch: Option<u16>,
    pub(crate) every: Duration,
    pub(crate) until_idle: Option<Duration>,
    pub(crate) max_logs: Option<u64>,
    pub(crate) max_batch: usize,
    pub(crate) max_retries: u32,
    pub(crate) derived: Derived,
    /// The folder that keeps counts over restarts.
    pub(crate) state: Option<PathBuf>,
    pub(crate) saved_state: SavedState,
    pub(crate) forget_after: Duration,
    pub(crate) tolerance: Tolerance,
    pub(crate) probe_after: Duration,
    /// How long consumers may take to finish what they have in hand.
    pub(crate) grace: Duration,
    pub(crate) on_failure: OnFailure,
    pub(crate) reload: Trigger,
    /// The longest time until a consumer's exchanges and bindings are made sure of again.
    pub(crate) check_topology_every: Duration,
}

/// What `run` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To consume.
    Consume,
    /// To leave exchanges, queues and bindings behind, and nothing else.
    Declare,
}

/// The adapters of a host.
struct HostPorts;

impl Ports for HostPorts {
    type SourceFactory = AmqpSourceFactory<SystemClock>;
    type Consumer = WasmConsumer;
    type Ledger = state::StateLedger;
    type Clock = SystemClock;
    type Reporter = Watched;
    type Sink = AmqpSink;
}

type Consuming = Consume<HostPorts>;

/// Runs the plugins until asked to end, or until all of them have ended.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    // From here on, SIGHUP is a wish for new versions, and does not end the process.
    let hangups = Hangups::new().status(Status::Internal)?;
    let mut interrupted = pin!(interrupted_but_by_hangup().status(Status::Internal)?.fuse());
    let mut loader = PluginLoader::new(options.limits.clone(), options.settings.clone(), options.derived)?;
    let Started { members, failed } = loading::start(&options.plugins, &mut loader, options.on_failure)?;
    let state = state::open(options.state.as_deref())?;
    let mut reloads = Reloads::new(loader, hangups, options.reload);
    let (active, activity) = watch::channel(Activity::now());
    let connections = tokio::select! {
        connected = Connections::connect(&options) => connected?,
        () = &mut interrupted => return Ok(()),
    };
    let preparing = async {
        if options.purpose == Purpose::Declare {
            let failed = declare(&options, &connections, &members).await.or(failed);
            return Ok(Prepared { failed, ..Prepared::default() });
        }
        let preparing = prepare(&options, state.as_ref(), &connections, members, &mut reloads, &active);
        let mut prepared = Box::pin(preparing).await?;
        prepared.failed = failed.or(prepared.failed);
        Ok(prepared)
    };
    let prepared = tokio::select! {
        prepared = preparing => prepared.map(Some),
        () = &mut interrupted => Ok(None),
    };
    let Prepared { ready, depths, failed } = match prepared {
        Ok(Some(prepared)) => prepared,
        // Some may have logs in hand already: they are given back.
        unprepared => {
            connections.close().await;
            return unprepared.map(drop);
        }
    };

    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let (mut names, mut no_thread) = (HashMap::new(), None);
    for (name, consume) in ready {
        let mut stopped = stopped.clone();
        let running = consume.run(async move {
            // An error means that the host has gone, which is a reason to stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        match run_alone(&mut tasks, running) {
            Ok(task) => names.insert(task.id(), name),
            Err(error) => {
                no_thread = Some(Failure::of(Status::System, anyhow::Error::new(error).context(name)));
                break;
            }
        };
    }
    drop(stopped);

    let ending = async {
        if let Some(failure) = no_thread {
            return Ending::Failed(failure);
        }
        tokio::select! {
            () = &mut interrupted => {
                let grace = humantime::format_duration(options.grace);
                terminal::notice(&format!("ending: what is in hand is finished within {grace}; once more ends at once"));
                Ending::Asked
            }
            standing_by = idle(activity, &depths, options.until_idle) => {
                for name in &standing_by {
                    let text = "ends while it stands by: another host consumes its queue, and counts what comes";
                    terminal::tell(&Notice::info(text).of(name.as_str()));
                }
                Ending::Idle
            }
            closed = terminal::closed() => match closed {
                Ok(()) => Ending::Unread,
                Err(error) => Ending::Failed(error.into()),
            },
        }
    };
    let beside = async {
        let ((), never) = tokio::join!(say_limits(&options, &connections, Patience::Some), reloads.run());
        never
    };
    let Ended { failure, is_asked } = tokio::select! {
        ended = supervise(tasks, names, ending, stop, (options.grace, options.on_failure)) => ended,
        never = beside => match never {},
        never = tell_leaps() => match never {},
    };
    connections.close().await;
    if !is_asked {
        // Somebody reads slowly; who does not read at all has to be told to end.
        tokio::select! {
            () = terminal::written() => {}
            () = &mut interrupted => {}
            () = sleep(options.grace), if failure.is_some() => {}
        }
    }
    failed.or(failure).map_or(Ok(()), |status| Err(Failure::silent(status)))
}

/// The consumers of a run.
#[derive(Default)]
struct Prepared {
    ready: Vec<(ConsumerName, Consuming)>,
    /// How many logs wait for each.
    depths: HashMap<ConsumerName, QueueDepth>,
    /// What it means that others cannot begin; why was said.
    failed: Option<Status>,
}

/// The least time between two commits to the disk: each is synced, and costs as much as a hundred logs.
const STATE_PACE: Duration = Duration::from_millis(10);

/// How long the broker may take with what a plugin publishes of one batch.
const LONGEST_PUBLISHING: Duration = Duration::from_secs(5);

/// Opens the source of every consumer; one whose queue cannot be had yet opens it later, and one that is refused is
/// left out. Nothing is acknowledged before that.
async fn prepare(
    options: &Options,
    state: Option<&State>,
    connections: &Connections,
    members: Vec<(Member, WasmConsumer)>,
    reloads: &mut Reloads,
    active: &watch::Sender<Activity>,
) -> Result<Prepared, Failure> {
    let prefetch = options.prefetch.unwrap_or_else(|| fair_prefetch(members.len()));
    let (mut opening, mut keeping) = (Vec::new(), Vec::new());
    for (member, consumer) in members {
        let name = consumer.descriptor().name.clone();
        if consumer.keeps_state() {
            keeping.push(name.to_string());
        }
        let terminal = TerminalReporter::new(options.format);
        let terminal = if options.lifetime == Lifetime::Exclusive { terminal.of_copies() } else { terminal };
        let reporter = Watched::new(terminal, name.clone(), active.clone());
        let (replace, replaced) = mpsc::channel(1);
        reloads.add(member, replace);
        opening.push(async move {
            let (mut consume, depth) =
                consuming(options, state, connections, prefetch, consumer, reporter, replaced).await?;
            let opening = consume.open().await.map_err(|end| not_opened(&name, &end))?;
            if opening == Opening::Done {
                active.send_modify(|activity| activity.opened(&name));
            }
            Ok((name, consume, depth, opening))
        });
    }
    let opened: Vec<Result<_, Failure>> = stream::iter(opening).buffered(MOST_OPENING).collect().await;
    let (mut prepared, mut queues, mut failures) = (Prepared::default(), Vec::new(), Vec::new());
    for opened in opened {
        match opened {
            Ok((name, consume, depth, opening)) => {
                if opening == Opening::Done {
                    queues.push(described(options, &name));
                }
                prepared.depths.insert(name.clone(), depth);
                prepared.ready.push((name, consume));
            }
            Err(failure) => failures.push(failure),
        }
    }
    let ends = prepared.ready.is_empty() || options.on_failure == OnFailure::End;
    if ends && !failures.is_empty() {
        let failure = failures.remove(0);
        failures.iter().for_each(say);
        return Err(failure);
    }
    failures.iter().for_each(say);
    prepared.failed = failures.first().map(Failure::status);
    if !queues.is_empty() {
        let connection =
            connections.consuming.connection().await.map_err(|error| options.target.unreachable(&error))?;
        terminal::notice(&format!("consuming from {}: {}", connection.address(), queues.join(", ")));
    }
    if state.is_none() && options.lifetime == Lifetime::Named {
        terminal::warning(&without_state(&keeping));
    }
    Ok(prepared)
}

/// What it means that nothing outlasts the run but what it takes out of the queues.
fn without_state(keeping: &[String]) -> String {
    let also = if keeping.is_empty() {
        String::new()
    } else {
        format!(", and what consumers keep of their own ({}),", keeping.join(", "))
    };
    format!(
        "without --state, counts{also} last as long as this run, and what is acknowledged is gone from the queues: \
         keep them with --state DIR, or only look, at a queue that goes with the run, with --ephemeral"
    )
}

fn described(options: &Options, name: &ConsumerName) -> String {
    match options.lifetime {
        Lifetime::Named => format!("{name} ({})", options.target.names.queue(name)),
        Lifetime::Exclusive => format!("{name} (a queue of its own)"),
    }
}

/// Why a consumer cannot begin.
fn not_opened(name: &ConsumerName, end: &End) -> Failure {
    let why = chain(end);
    let failure = match end {
        End::Consumer(_) => {
            let advice = "it does not take up its saved state: mend it, or begin without that state with \
                          --discard-state (counts are kept)";
            Failure::new(Status::BadInput, format!("{why}: {advice}"))
        }
        end => Failure::new(status_of(end), why),
    };
    failure.of_consumer(name.clone())
}

/// The connections of a run. A broker that blocks publishers must not block acknowledgements: what is
/// published, dead letters included, has a connection of its own.
struct Connections {
    consuming: Arc<ReconnectingConnection>,
    publishing: Arc<ReconnectingConnection>,
    queue: QueueOptions,
    inspector: Arc<Inspector>,
}

/// How many logs of each of so many consumers may be under way: what a run has in memory does not grow with
/// their number without end.
pub(crate) fn fair_prefetch(consumers: usize) -> u16 {
    let share = 16_000 / consumers.max(1);
    u16::try_from(share).unwrap_or(u16::MAX).clamp(16, 1000)
}

impl Connections {
    async fn connect(options: &Options) -> Result<Self, Failure> {
        let target = &options.target;
        // The second also for those that publish nothing: their next version may.
        let (consuming, publishing) =
            try_join(target.connect("consuming"), target.connect("publishing")).await?;
        let queue = QueueOptions::new(options.lifetime, options.queue_type, terminal::tell);
        let inspector = Arc::new(Inspector::new(options.management.clone()));
        Ok(Self { consuming, publishing, queue, inspector })
    }

    fn source_factory(&self, options: &Options, prefetch: u16) -> AmqpSourceFactory<SystemClock> {
        let (every, inspect) = (options.check_topology_every, Arc::clone(&self.inspector));
        let source = SourceOptions {
            queue: self.queue.clone(),
            prefetch,
            exchanges: Exchanges::Own,
            marker: None,
            check: Some(CheckOptions { every, inspect, tell: terminal::tell }),
        };
        let (consuming, publishing) = (Arc::clone(&self.consuming), Arc::clone(&self.publishing));
        AmqpSourceFactory::new(consuming, publishing, options.target.names.clone(), source, SystemClock)
    }

    async fn close(&self) {
        self.consuming.close().await;
        self.publishing.close().await;
    }
}

/// Says which queues drop what comes back too often.
async fn say_limits(options: &Options, connections: &Connections, patience: Patience) {
    // Without a connection, its end is what there is to say.
    if let Ok(connection) = connections.consuming.connection().await {
        limits::say(&connection, options.management.as_ref(), &connections.queue, patience).await;
    }
}

async fn declare(
    options: &Options,
    connections: &Connections,
    members: &[(Member, WasmConsumer)],
) -> Option<Status> {
    let source_factory = connections.source_factory(options, fair_prefetch(members.len()));
    let mut failed = None;
    for (_, consumer) in members {
        let descriptor = consumer.descriptor();
        let declaring = || source_factory.declare(descriptor, Reads::of(consumer)).boxed();
        match options.target.retry.until_ready(terminal::tell, declaring).await.map_err(refused) {
            Ok(declaration) => say_declared(&declaration, descriptor),
            Err(failure) => {
                let failure = failure.of_consumer(descriptor.name.clone());
                say(&failure);
                failed.get_or_insert(failure.status());
            }
        }
    }
    say_limits(options, connections, Patience::None).await;
    failed
}

fn say_declared(declaration: &Declaration, descriptor: &Descriptor) {
    let remark = match declaration.standing {
        ConsumerActivity::Active => "",
        ConsumerActivity::StandingBy => {
            "; another host consumes it: bindings were added, and none removed; what that host does not want \
             goes to the dead letters until this plugin takes over"
        }
    };
    let (queue, name, severities) = (&declaration.queue, &descriptor.name, descriptor.filter.severities());
    terminal::notice(&format!("declared {queue} for {name}: {severities}{remark}"));
}

async fn consuming(
    options: &Options,
    state: Option<&State>,
    connections: &Connections,
    prefetch: u16,
    consumer: WasmConsumer,
    reporter: Watched,
    replaced: mpsc::Receiver<WasmConsumer>,
) -> Result<(Consuming, QueueDepth), Failure> {
    let names = &options.target.names;
    let name = &consumer.descriptor().name;
    // A queue that goes with the run keeps no book.
    let state = state.filter(|_| options.lifetime == Lifetime::Named);
    let ledger = state::ledger(state, &consumer, &names.queue(name)).await?;
    // Also for one that only counts: its next version may not.
    let derived = if options.derived == Derived::Granted {
        let severities = consumer.descriptor().publishes.iter();
        let sink =
            AmqpSink::open(Arc::clone(&connections.publishing), names.clone(), Exchanges::Own, severities);
        let sink = sink.await.map_err(unpublished)?;
        Some(Publish::new(sink, Sequencer::new(new_producer()?), SystemClock))
    } else {
        None
    };
    let source_factory = connections.source_factory(options, prefetch);
    let depth = source_factory.depth();
    let adapters = Adapters {
        source_factory,
        consumer,
        ledger,
        clock: SystemClock,
        reporter,
        derived,
        reloads: replaced,
    };
    Ok((Consume::new(adapters, consume_options(options, prefetch)), depth))
}

fn consume_options(options: &Options, prefetch: u16) -> ConsumeOptions {
    ConsumeOptions {
        max_batch: options.max_batch,
        batching: Batching::Arrived,
        every: options.every,
        max_logs: options.max_logs,
        max_retries: options.max_retries,
        max_held: usize::from(prefetch).div_ceil(2),
        pace: if options.state.is_some() { STATE_PACE } else { Duration::ZERO },
        tolerance: options.tolerance,
        probe: Some(options.probe_after),
        forget_after: options.forget_after,
        // So that an end need not wait longer than it may.
        publish_within: (options.grace / 2).min(LONGEST_PUBLISHING),
        state: options.saved_state,
    }
}
