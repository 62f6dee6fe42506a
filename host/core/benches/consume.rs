//! The use case itself, between a source, a consumer and a reporter that do nothing: what it adds to a log.

use std::collections::VecDeque;
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use loghost_core::application::{
    Adapters, Batching, Clock, Commit, Confirmed, Consume, ConsumeOptions, Consumer, ConsumerActivity,
    ConsumerError, DeadLettering, DeadLetters, Delivery, Event, Item, Ledger, LedgerError, LogSink,
    LogSource, Next, Observer, Opened, Ports, Receipts, Rejection, Report, ReportError, Reporter, Saved,
    SavedState, SinkError, SourceError, SourceFactory, Subscription, Tolerance,
};
use loghost_core::domain::{
    ConsumerName, Descriptor, Fields, Filter, Log, MessageId, Metric, Position, Processed, Record,
    Severities, Severity, Timestamp,
};
use loghost_core::testing::logs;
use tokio::sync::mpsc;

const LOGS: usize = 10_240;

/// Has all logs at hand.
struct Source {
    deliveries: VecDeque<Delivery<()>>,
    burst: usize,
}

impl LogSource for Source {
    type Original = ();

    async fn receive(&mut self, burst: &mut Vec<Delivery<()>>, max: usize) -> Result<(), SourceError> {
        let taken = self.burst.min(max).min(self.deliveries.len());
        if taken == 0 {
            return pending().await;
        }
        burst.extend(self.deliveries.drain(..taken));
        Ok(())
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn acknowledge_through(&mut self, _: Position) -> Result<(), SourceError> {
        Ok(())
    }

    async fn acknowledge(&mut self, _: Position) -> Result<(), SourceError> {
        Ok(())
    }

    async fn adjust(&mut self, _: Subscription<'_>) -> Result<(), SourceError> {
        Ok(())
    }

    async fn close(self, _: Next) {}
}

struct Nowhere;

impl DeadLetters for Nowhere {
    type Original = ();

    fn write(
        &mut self,
        (): (),
        _: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<> {
        ready(Ok(()))
    }

    async fn close(self) {}
}

struct Once(Option<Source>);

impl SourceFactory for Once {
    type Source = Source;
    type DeadLetters = Nowhere;

    async fn open(&mut self, _: Subscription<'_>) -> Result<Opened<Source, Nowhere>, SourceError> {
        match self.0.take() {
            Some(source) => Ok(Opened { source, dead_letters: DeadLettering::Ready(Nowhere) }),
            None => pending().await,
        }
    }
}

struct Idle {
    descriptor: Descriptor,
    processes: bool,
}

impl Consumer for Idle {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn processes(&self) -> bool {
        self.processes
    }

    fn keeps_state(&self) -> bool {
        false
    }

    fn digest(&self) -> &'static str {
        ""
    }

    async fn process(&mut self, _: Timestamp, _: &[Record]) -> Result<Processed, ConsumerError> {
        Ok(Processed::default())
    }

    async fn format_metric(&mut self, _: &Metric) -> Result<String, ConsumerError> {
        Ok(String::new())
    }

    async fn save(&mut self) -> Result<Vec<u8>, ConsumerError> {
        Ok(Vec::new())
    }

    async fn restore(&mut self, _: Option<&[u8]>) -> Result<(), ConsumerError> {
        Ok(())
    }
}

struct Nothing;

impl Ledger for Nothing {
    async fn load(&mut self) -> Result<Saved, LedgerError> {
        Ok(Saved::default())
    }

    fn commit(&mut self, _: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        ready(Ok(()))
    }
}

impl Reporter for Nothing {
    fn metric(&mut self, _: &Report<'_>) -> Result<(), ReportError> {
        Ok(())
    }
}

impl Observer for Nothing {
    fn observe(&self, _: &Event<'_>) {}
}

impl LogSink for Nothing {
    async fn publish(&mut self, _: &MessageId, _: Timestamp, _: &Log) -> Result<(), SinkError> {
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn receipts(&self) -> Receipts {
        Receipts::default()
    }

    fn take_confirmed(&mut self) -> Confirmed {
        Confirmed::default()
    }
}

#[derive(Clone)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}

struct Fakes;

impl Ports for Fakes {
    type SourceFactory = Once;
    type Consumer = Idle;
    type Ledger = Nothing;
    type Clock = Stopped;
    type Reporter = Nothing;
    type Sink = Nothing;
}

fn options() -> ConsumeOptions {
    ConsumeOptions {
        max_batch: 256,
        batching: Batching::Arrived,
        every: Duration::from_secs(1),
        max_logs: Some(LOGS as u64),
        max_retries: 5,
        max_waiting: 500,
        pace: Duration::ZERO,
        tolerance: Tolerance::default(),
        probe: None,
        forget_after: Duration::from_hours(1),
        publish_within: Duration::from_secs(5),
        state: SavedState::Restored,
    }
}

fn consume(bencher: Bencher<'_, '_>, burst: usize, processes: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let deliveries: VecDeque<Delivery<()>> = (1..=LOGS as u64)
        .map(|n| Delivery {
            position: Position::Transient(n),
            item: Item::Log(logs::record(n)),
            original: Some(()),
        })
        .collect();
    let name = ConsumerName::new("bench").expect("a name");
    let descriptor = Descriptor {
        name,
        version: String::new(),
        description: String::new(),
        filter: Filter::new(Severity::ALL.into_iter().collect::<Severities>(), Vec::new()),
        fields: Fields::default(),
        publishes: Severities::default(),
        tick: None,
    };
    bencher
        .counter(ItemsCount::new(LOGS))
        .with_inputs(|| {
            let source = Source { deliveries: deliveries.clone(), burst };
            let consumer = Idle { descriptor: descriptor.clone(), processes };
            let adapters: Adapters<Fakes> = Adapters {
                source_factory: Once(Some(source)),
                consumer,
                ledger: Nothing,
                clock: Stopped,
                reporter: Nothing,
                observer: Arc::new(Nothing),
                derived: None,
                reloads: mpsc::channel(1).1,
            };
            Consume::new(adapters, options())
        })
        .bench_local_values(|mut consume| {
            runtime.block_on(async {
                consume.open().await.expect("a source");
                consume.run(pending()).await
            })
        });
}

#[divan::bench(args = [1, 16, 256])]
fn counting(bencher: Bencher<'_, '_>, burst: usize) {
    consume(bencher, burst, false);
}

#[divan::bench(args = [1, 16, 256])]
fn processing(bencher: Bencher<'_, '_>, burst: usize) {
    consume(bencher, burst, true);
}

fn main() {
    divan::main();
}
