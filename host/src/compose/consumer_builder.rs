//! Building the consumers of a host: from a plugin to what is opened and run, the same way for every command.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{
    Adapters, Clock, Consume, ConsumeOptions, Consumer, Control, Observer, Ports, Publish, Reporter,
    SourceFactory, SystemClock,
};
use loghost_core::domain::{Sequencer, TracesRead, Tracing};
use loghost_rabbitmq::{
    AmqpSink, AmqpSourceFactory, BindingsOfRun, CheckOptions, Inspector, Lifetime, ManagementUrl,
    QueueOptions, RecordBindings, SourceOptions, StoredPosition, StreamFigures, StreamOptions, StreamWay,
};
use loghost_store::state::StateFolder;
use loghost_wasm::WasmConsumer;
use tokio::sync::mpsc;

use crate::compose::connections::Connections;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::Failure;
use crate::compose::plugins::loader::Derived;
use crate::compose::state::{self, BindingsOfState, StateLedger};
use crate::compose::target::new_producer;

/// The adapters of a consumer. Where its logs come from, its clock, and who is told of it, differ between commands.
pub(crate) struct HostPorts<F, C, R>(PhantomData<(F, C, R)>);

impl<F: SourceFactory, C: Clock, R: Reporter> Ports for HostPorts<F, C, R> {
    type SourceFactory = F;
    type Consumer = WasmConsumer;
    type Ledger = StateLedger;
    type Clock = C;
    type Reporter = R;
    type Sink = AmqpSink;
}

/// A consumer that runs by the system's clock, for as long as its broker is there.
pub(crate) type HostConsumer<R> = Consume<HostPorts<AmqpSourceFactory<SystemClock>, SystemClock, R>>;

/// The adapters that one consumer has of its own.
pub(crate) struct ConsumerAdapters<F, C, R> {
    pub(crate) consumer: WasmConsumer,
    pub(crate) source_factory: F,
    pub(crate) clock: C,
    pub(crate) reporter: R,
    pub(crate) observer: Arc<dyn Observer>,
    /// Where it is told from what to do, if it may be.
    pub(crate) controls: Option<mpsc::Receiver<Control<WasmConsumer>>>,
}

/// What the consumers of a host have in common.
#[derive(Clone)]
pub(crate) struct ConsumerBuilder {
    pub(crate) connections: Connections,
    /// How their queues are declared, and what is known of these.
    pub(crate) queue: QueueOptions,
    options: ConsumerOptions,
    /// How many logs of each may be under way where nothing is said of that.
    fair_prefetch: u16,
    inspector: Arc<Inspector>,
    state: Option<Arc<StateFolder>>,
    recorded_bindings: Arc<dyn RecordBindings>,
    stream_way: StreamWay,
    tracing: Option<Tracing>,
}

/// How many small logs of streams may be under way, for each log of a queue that may.
pub(crate) const SMALL_PER_LOG: usize = 16;

/// The least logs of a consumer that may be under way, if nobody says otherwise.
const LEAST_PREFETCH: u16 = 16;

/// The most logs of a consumer that may be under way, if nobody says otherwise.
pub(crate) const MOST_PREFETCH: u16 = 1000;

/// The most logs of all consumers of a run that may be under way, if nobody says otherwise: they share it evenly, within the
/// least and the most of each.
pub(crate) const PREFETCHED_TOGETHER: usize = 16_000;

/// The least time between two commits to the disk: each is synced, and costs as much as a hundred logs.
const STATE_PACE: Duration = Duration::from_millis(10);

/// How long the broker may take with what a plugin publishes of one batch.
const LONGEST_PUBLISHING: Duration = Duration::from_secs(5);

impl ConsumerBuilder {
    /// Builds so many `consumers`, which keep nothing.
    pub(crate) fn new(connections: Connections, options: ConsumerOptions, consumers: usize) -> Self {
        Self {
            connections,
            queue: QueueOptions::new(options.lifetime, options.queue_type),
            fair_prefetch: fair_prefetch(consumers),
            options,
            inspector: Arc::new(Inspector::new(None)),
            state: None,
            recorded_bindings: Arc::new(BindingsOfRun::default()),
            stream_way: StreamWay::default(),
            tracing: None,
        }
    }

    /// The same, of which those with named queues keep their counts, and what these are bound to, in `state`.
    pub(crate) fn state(self, state: Option<StateFolder>) -> Self {
        let Some(state) = state.map(Arc::new) else { return self };
        let recorded_bindings = Arc::new(BindingsOfState(Arc::clone(&state)));
        Self { state: Some(state), recorded_bindings, ..self }
    }

    /// The same for a consumer that is run with these options.
    pub(crate) fn with(&self, options: ConsumerOptions) -> Self {
        Self { options, ..self.clone() }
    }

    /// The same, which continue the traces that logs belong to.
    pub(crate) fn tracing(self, tracing: Option<Tracing>) -> Self {
        Self { tracing, ..self }
    }

    fn prefetch(&self) -> u16 {
        self.options.prefetch.unwrap_or(self.fair_prefetch)
    }

    /// How many small logs of streams may be under way where nothing is said of that: nothing of a stream is acknowledged to
    /// the broker, and what a commit costs is shared by all that is in it.
    fn small_under_way(&self) -> usize {
        match (&self.state, self.options.prefetch) {
            (Some(_), None) => usize::from(self.fair_prefetch) * SMALL_PER_LOG,
            _ => 0,
        }
    }

    /// The same; where the management plugin is not where it usually is.
    pub(crate) fn management(self, url: Option<ManagementUrl>) -> Self {
        Self { inspector: Arc::new(Inspector::new(url)), ..self }
    }

    /// What is shown of the streams that consumers read.
    pub(crate) fn stream_figures(&self) -> StreamFigures {
        let address = self.options.streams.as_ref().and_then(|streams| streams.address.clone());
        StreamFigures::new(self.stream_way.clone(), address)
    }

    /// Where a consumer's logs come from.
    pub(crate) fn source_factory<C: Clock + Clone>(&self, clock: C) -> AmqpSourceFactory<C> {
        let check = self.options.check_topology_every.map(|every| {
            let inspect = Arc::clone(&self.inspector);
            CheckOptions { every, inspect }
        });
        let has_book = self.state.is_some() || self.options.lifetime != Lifetime::Named;
        let position = if has_book { StoredPosition::Book } else { StoredPosition::Broker };
        let source = SourceOptions {
            queue: self.queue.clone(),
            streams: self.options.streams.clone().map(|streams| StreamOptions {
                position,
                small_under_way: self.small_under_way(),
                ..streams
            }),
            stream_way: self.stream_way.clone(),
            prefetch: self.prefetch(),
            exchanges: self.options.exchanges,
            rules: self.options.rules.clone(),
            recorded_bindings: Arc::clone(&self.recorded_bindings),
            marker: self.options.marker.clone(),
            traces: self.tracing.as_ref().map_or(TracesRead::None, Tracing::reads),
            check,
        };
        self.connections.source_factory(source, clock)
    }

    /// Builds a consumer, which is not opened yet.
    pub(crate) async fn build<F: SourceFactory, C: Clock + Clone, R: Reporter>(
        &self,
        own: ConsumerAdapters<F, C, R>,
    ) -> Result<Consume<HostPorts<F, C, R>>, Failure> {
        let ConsumerAdapters { consumer, source_factory, clock, reporter, observer, controls } = own;
        // A queue that goes with the run keeps no book.
        let state = self.state.as_deref().filter(|_| self.options.lifetime == Lifetime::Named);
        let queue = self.connections.names.queue(&consumer.descriptor().name);
        let ledger = state::ledger(state, &consumer, &queue, self.options.positions, &*observer).await?;
        // Also for one that only counts: its next version may not.
        let derived = if self.options.derived == Derived::Granted {
            let severities = consumer.descriptor().publishes.iter();
            let sink = self.connections.sink(self.options.exchanges, severities).await?;
            Some(Publish::new(sink, Sequencer::new(new_producer()?), clock.clone()))
        } else {
            None
        };
        let controls = controls.unwrap_or_else(|| mpsc::channel(1).1);
        let adapters =
            Adapters { source_factory, consumer, ledger, clock, reporter, observer, derived, controls };
        Ok(Consume::new(adapters, self.consume_options()))
    }

    fn consume_options(&self) -> ConsumeOptions {
        let options = &self.options;
        ConsumeOptions {
            max_batch: options.max_batch.into(),
            batching: options.batching,
            every: options.every,
            max_logs: options.max_logs,
            max_retries: options.max_retries,
            max_waiting: usize::from(self.prefetch()).div_ceil(2),
            pace: if self.state.is_some() { STATE_PACE } else { Duration::ZERO },
            tolerance: options.tolerance,
            probe: options.probe_after,
            forget_after: options.forget_after,
            // So that an end need not wait longer than it may.
            publish_within: (options.grace / 2).min(LONGEST_PUBLISHING),
            state: options.saved_state,
            tracing: self.tracing.clone(),
        }
    }
}

/// How many logs of each of so many consumers may be under way: what a run has in memory does not grow with
/// their number without end.
fn fair_prefetch(consumers: usize) -> u16 {
    let share = PREFETCHED_TOGETHER / consumers.max(1);
    u16::try_from(share).unwrap_or(u16::MAX).clamp(LEAST_PREFETCH, MOST_PREFETCH)
}
