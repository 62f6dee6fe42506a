//! The consumers of a scenario: each consumes from a queue of its own until it meets the marker.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{
    Batching, Consumer, ConsumerError, ConsumerEvent, End, Event, Finished, Observer, Opened, Reads, Report,
    ReportError, Reporter, SinkError, SourceError, SourceFactory, Subscription,
};
use loghost_core::domain::{ConsumerName, Filter, Log};
use loghost_rabbitmq::{AmqpSink, BindRules, DeadLetterWriter, Exchanges, Lifetime, OpenedSource};
use loghost_wasm::WasmConsumer;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::compose::connections::Connections;
use crate::compose::consumer_builder::{ConsumerAdapters, ConsumerBuilder};
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::loader::Derived;
use crate::compose::running::supervise::status_of;
use crate::compose::scenario::exchange::ScenarioExchange;
use crate::platform::clock::ReplayClock;

/// The consumers of a scenario.
pub(crate) struct ScenarioConsumers {
    builder: ConsumerBuilder,
    observer: Arc<dyn Observer>,
    /// Where they take their logs from, if that is not the exchange of each log's severity.
    exchange: Option<ScenarioExchange>,
    consumers: Vec<ScenarioConsumer>,
    tasks: JoinSet<(usize, Result<String, String>)>,
    /// The token of the message that follows the last log.
    marker: String,
}

/// One of them.
struct ScenarioConsumer {
    name: ConsumerName,
    filter: Filter,
    queue: String,
    /// How many logs it must get before the marker.
    due: u64,
    arrived: watch::Receiver<u64>,
}

impl ScenarioConsumers {
    /// None yet, of those that consume through these connections, from an `exchange` of others if the scenario is published
    /// there; `observer` is told what happens to them.
    pub(crate) fn new(
        connections: Connections,
        observer: Arc<dyn Observer>,
        exchange: Option<ScenarioExchange>,
    ) -> Self {
        let marker = Uuid::new_v4().to_string();
        let rules = exchange.as_ref().map(ScenarioExchange::rules).unwrap_or_default();
        let builder = ConsumerBuilder::new(connections, options(marker.clone(), rules), 1);
        Self { builder, observer, exchange, consumers: Vec::new(), tasks: JoinSet::new(), marker }
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.builder.connections
    }

    /// Adds `consumer`, which consumes from a queue of its own from now on.
    pub(crate) async fn add(&mut self, consumer: WasmConsumer) -> Result<(), Failure> {
        let descriptor = consumer.descriptor().clone();
        let clock = ReplayClock::new();
        let mut source_factory = self.builder.source_factory(clock.clone());
        let reads = Reads::of(&consumer);
        let subscription = Subscription { descriptor: &descriptor, reads, former: None, offsets: &[] };
        let opened = Box::pin(source_factory.open(subscription))
            .await
            .map_err(End::Source)
            .map_err(|end| Failure::of(status_of(&end), end))?;
        let queue = opened.source.queue().to_owned();
        let (arriving, arrived) = watch::channel(0);
        let (told, text) = watch::channel(None);
        let source_factory = Once(Some(opened));
        // Nobody replaces a consumer of a scenario.
        let (reporter, observer) =
            (LastMetric(told), Arc::new(Arrivals(arriving, Arc::clone(&self.observer))));
        let own = ConsumerAdapters { consumer, source_factory, clock, reporter, observer, controls: None };
        let mut consume = self.builder.build(own).await?;
        Box::pin(consume.open()).await.map_err(|end| Failure::of(status_of(&end), end))?;
        let index = self.consumers.len();
        let (name, filter) = (descriptor.name, descriptor.filter);
        self.consumers.push(ScenarioConsumer { name, filter, queue, due: 0, arrived });
        self.tasks.spawn(async move {
            let finished = Box::pin(consume.run(std::future::pending())).await;
            let text = text.borrow().clone();
            (index, outcome(&finished, text))
        });
        Ok(())
    }

    /// Notes that `log` will be sent so many `times`.
    pub(crate) fn expect(&mut self, log: &Log, times: u64) {
        let source = log.source.as_ref().map_or("", |source| source.as_str());
        for consumer in &mut self.consumers {
            let gets_it = match &self.exchange {
                Some(exchange) => exchange.brings(log, &consumer.filter),
                None => consumer.filter.wants(log.severity, source),
            };
            if gets_it {
                consumer.due += times;
            }
        }
    }

    /// Sends each the marker, behind all that has been confirmed.
    pub(crate) async fn mark(&self, sink: &mut AmqpSink) {
        for consumer in &self.consumers {
            // A consumer that has failed took its queue with it; its task says why.
            let _: Result<(), SinkError> = sink.mark(&consumer.queue, &consumer.name, &self.marker).await;
        }
    }

    /// Waits until each has met the marker, or until nothing has come for as long as `timeout`; returns
    /// what each has written, or why there is nothing.
    pub(crate) async fn finish(&mut self, timeout: Duration) -> Result<Vec<Result<String, String>>, Failure> {
        let mut written: Vec<Option<Result<String, String>>> = self.consumers.iter().map(|_| None).collect();
        let mut silence = pin!(silence(&self.consumers, timeout));
        while let Some(joined) = tokio::select! {
            joined = self.tasks.join_next() => joined,
            () = &mut silence => None,
        } {
            let (index, text) = joined.status(Status::Internal)?;
            written[index] = Some(text);
        }
        let written = written.into_iter().zip(&self.consumers);
        let text_or_error =
            |(text, consumer): (Option<_>, _)| text.unwrap_or_else(|| Err(missing(consumer, timeout)));
        Ok(written.map(text_or_error).collect())
    }
}

fn options(marker: String, rules: BindRules) -> ConsumerOptions {
    ConsumerOptions {
        lifetime: Lifetime::Exclusive,
        exchanges: Exchanges::Temporary,
        rules,
        marker: Some(marker),
        check_topology_every: None,
        batching: Batching::Full,
        // The one metric that counts is the last.
        every: Duration::from_hours(24),
        // Behind the marker it would come too late for anybody.
        derived: Derived::Refused,
        probe_after: None,
        ..ConsumerOptions::default()
    }
}

fn outcome(finished: &Finished, text: Option<Result<String, ConsumerError>>) -> Result<String, String> {
    match (&finished.end, text) {
        (End::Marker, Some(Ok(text))) => Ok(text),
        (End::Marker, Some(Err(error))) => Err(error.to_string()),
        (end, _) => Err(end.to_string()),
    }
}

/// Is ready when none of the consumers has got a log for as long as `timeout`.
async fn silence(consumers: &[ScenarioConsumer], timeout: Duration) {
    let arrived = || consumers.iter().map(|consumer| *consumer.arrived.borrow()).sum::<u64>();
    let mut before = None;
    while before != Some(arrived()) {
        before = Some(arrived());
        sleep(timeout).await;
    }
}

fn missing(consumer: &ScenarioConsumer, timeout: Duration) -> String {
    let arrived = *consumer.arrived.borrow();
    let waited = humantime::format_duration(timeout);
    let due = consumer.due;
    if arrived < due {
        format!("{} of {due} logs did not arrive within {waited} (--timeout)", due - arrived)
    } else {
        format!("the marker that ends the scenario did not arrive within {waited} (--timeout)")
    }
}

/// A source that is open, and cannot be opened again: its queue went with it.
struct Once(Option<OpenedQueue>);

type OpenedQueue = Opened<OpenedSource<ReplayClock>, DeadLetterWriter>;

impl SourceFactory for Once {
    type Source = OpenedSource<ReplayClock>;
    type DeadLetters = DeadLetterWriter;

    async fn open(&mut self, _: Subscription<'_>) -> Result<OpenedQueue, SourceError> {
        self.0.take().ok_or_else(|| SourceError::Unavailable("lost the broker".into()))
    }
}

/// Takes the last metric of a consumer.
struct LastMetric(watch::Sender<Option<Result<String, ConsumerError>>>);

impl Reporter for LastMetric {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        self.0.send_replace(Some(report.text.clone()));
        Ok(())
    }
}

/// Counts what a consumer gets, and passes on what happens.
struct Arrivals(watch::Sender<u64>, Arc<dyn Observer>);

impl Observer for Arrivals {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Consumer(_, ConsumerEvent::Acknowledged { deliveries, .. }) = event {
            self.0.send_modify(|arrived| *arrived += *deliveries as u64);
        }
        self.1.observe(event);
    }
}
