//! The consumers of a run, in this process, and what is told of them.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use loghost_core::application::{
    Adapters, Batching, Consume, ConsumeOptions, ConsumerError, End, Finished, Load, Ports, Report,
    ReportError, Reporter, SavedState, State, Tolerance,
};
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{AmqpSink, AmqpSourceFactory};
use loghost_wasm::WasmConsumer;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::connections::Connections;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::state::StateLedger;
use crate::compose::supervise::{MOST_OPENING, chain, run_alone, status_of};
use crate::platform::clock::SystemClock;
use crate::ui::terminal::{Format, TerminalReporter};

/// The adapters that a host has, but for what is told of it.
struct BenchPorts;

impl Ports for BenchPorts {
    type SourceFactory = AmqpSourceFactory<SystemClock>;
    type Consumer = WasmConsumer;
    type Ledger = StateLedger;
    type Clock = SystemClock;
    type Reporter = Watcher;
    type Sink = AmqpSink;
}

/// Running consumers.
pub(super) struct BenchConsumers {
    tasks: JoinSet<Finished>,
    stop: watch::Sender<bool>,
    counted: Arc<Counted>,
}

impl BenchConsumers {
    /// Has `consumers` consume, as a host does: first all are opened, then all are run.
    pub(super) async fn start(
        connections: &Connections,
        consumers: Vec<WasmConsumer>,
        counted: Arc<Counted>,
    ) -> Result<Self, Failure> {
        let opening = consumers.into_iter().map(|consumer| {
            let adapters: Adapters<BenchPorts> = Adapters {
                source_factory: connections.source_factory(),
                consumer,
                ledger: StateLedger::Volatile,
                clock: SystemClock,
                reporter: Watcher(Arc::clone(&counted)),
                derived: None,
                // Nobody replaces a consumer that is measured.
                reloads: mpsc::channel(1).1,
            };
            let mut consume = Consume::new(adapters, options());
            async move { consume.open().await.map(|_| consume).map_err(|end| failed(&end)) }
        });
        let ready: Vec<_> = stream::iter(opening).buffered(MOST_OPENING).try_collect().await?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for consume in ready {
            let mut stopped = stopped.clone();
            let running = consume.run(async move {
                // An error means that the measurement is over.
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            run_alone(&mut tasks, running).status(Status::System)?;
        }
        Ok(Self { tasks, stop, counted })
    }

    /// Waits until all that is due is counted.
    pub(super) async fn count(&mut self) -> Result<(), Failure> {
        let mut counted = pin!(self.counted.all.notified());
        tokio::select! {
            biased;
            () = &mut counted => Ok(()),
            Some(joined) = self.tasks.join_next() => Err(failed(&joined.status(Status::Internal)?.end)),
        }
    }

    /// Ends the consumers, each of which has to have counted `logs`.
    pub(super) async fn end(mut self, logs: u64) -> Result<(), Failure> {
        self.stop.send_replace(true);
        while let Some(joined) = self.tasks.join_next().await {
            let counted = joined.status(Status::Internal)?.counts.total();
            if counted != logs {
                let text = format!("a consumer has counted {counted} of {logs} logs: nothing is measured so");
                return Err(Failure::new(Status::Internal, text));
            }
        }
        Ok(())
    }
}

fn failed(end: &End) -> Failure {
    Failure::new(status_of(end), chain(end))
}

/// What `loghost run` does unless it is told otherwise.
fn options() -> ConsumeOptions {
    ConsumeOptions {
        max_batch: 256,
        batching: Batching::Arrived,
        every: Duration::from_secs(1),
        max_logs: None,
        max_retries: 5,
        max_held: 500,
        pace: Duration::ZERO,
        tolerance: Tolerance::default(),
        // A consumer that fails is no consumer to measure.
        probe: None,
        forget_after: Duration::from_hours(7 * 24),
        publish_within: Duration::from_secs(5),
        state: SavedState::Restored,
    }
}

/// How many logs all consumers of a run have counted.
pub(super) struct Counted {
    due: u64,
    number: AtomicU64,
    all: Notify,
    /// When how many had been counted; of one consumer only.
    moments: Option<Mutex<Vec<(u64, Instant)>>>,
}

impl Counted {
    /// None yet of those that are `due`.
    pub(super) fn new(due: u64) -> Arc<Self> {
        Arc::new(Self { due, number: AtomicU64::new(0), all: Notify::new(), moments: None })
    }

    /// The same, of one consumer; it is noted when each is counted.
    pub(super) fn timed(due: u64) -> Arc<Self> {
        let moments = Some(Mutex::default());
        Arc::new(Self { due, number: AtomicU64::new(0), all: Notify::new(), moments })
    }

    fn add(&self, logs: u64) {
        let before = self.number.fetch_add(logs, Ordering::Relaxed);
        if let Some(moments) = &self.moments {
            let moment = (before + logs, Instant::now());
            moments.lock().unwrap_or_else(PoisonError::into_inner).push(moment);
        }
        if (before..before + logs).contains(&(self.due - 1)) {
            self.all.notify_one();
        }
    }

    /// When each was counted, in their order; nothing if that was not noted.
    pub(super) fn moments(&self) -> Vec<Instant> {
        let moments = self.moments.as_ref().map(|moments| moments.lock());
        let Some(moments) = moments else { return Vec::new() };
        let mut before = 0;
        let mut each = Vec::new();
        for (number, moment) in &*moments.unwrap_or_else(PoisonError::into_inner) {
            each.extend((before..*number).map(|_| *moment));
            before = *number;
        }
        each
    }
}

/// Counts what a consumer has finished, and shows only what goes wrong.
struct Watcher(Arc<Counted>);

impl Reporter for Watcher {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        let text: &Result<String, ConsumerError> = &report.text;
        text.as_ref().map_or_else(|error| Err(ReportError(error.to_string().into())), |_| Ok(()))
    }

    fn state(&mut self, consumer: &ConsumerName, state: &State<'_>) {
        if !matches!(state, State::Consuming) {
            TerminalReporter::new(Format::Text).state(consumer, state);
        }
    }

    fn progress(&mut self, _: &ConsumerName, finished: usize, _: Load) {
        if finished > 0 {
            self.0.add(finished as u64);
        }
    }
}
