//! Playing a scenario: its logs through a broker to the plugins it names, each from a queue of its own.
//!
//! Everything on the broker belongs to the play, and goes with its connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{
    Batching, Consume, ConsumeOptions, Consumer, ConsumerError, End, Finished, Publish, Receipts, Report,
    ReportError, Reporter,
};
use loghost_core::domain::scenario::{ConsumerRef, Expectation, Step};
use loghost_core::domain::{ConsumerName, Filter, Log, Producer, Sequencer, Tally};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::failure::{Failure, Status, WithStatus};
use super::host::{Target, refused};
use super::plugins::{self, PluginSource};
use crate::adapters::amqp::{self, AmqpSink, AmqpSource, Names, QueueKind, SourceOptions};
use crate::adapters::clock::{ReplayClock, ScenarioClock};
use crate::adapters::scenario_file::ScenarioFile;
use crate::adapters::terminal;
use crate::adapters::wasm::{Limits, Plugin, Runtime, WasmConsumer};

/// Where scenarios are played, one after the other.
pub(super) struct Stage {
    runtime: Runtime,
    target: Target,
    patience: Duration,
    loaded: HashMap<PluginSource, Arc<Plugin>>,
}

/// What came of a scenario.
pub(super) struct Played {
    /// What the broker confirmed.
    pub(super) receipts: Receipts,
    /// For each expectation, in their order.
    pub(super) metrics: Vec<PlayedMetric>,
}

/// What came of an expectation.
pub(super) struct PlayedMetric {
    /// What should have been written, and by whom.
    pub(super) expectation: Expectation,
    /// What was written; or why there is nothing.
    pub(super) actual: Result<String, String>,
}

impl PlayedMetric {
    /// Whether it is as expected.
    pub(super) fn passed(&self) -> bool {
        self.actual.as_ref() == Ok(&self.expectation.text)
    }
}

/// A consumer of the play.
struct Role {
    name: ConsumerName,
    filter: Filter,
    queue: String,
    /// How many logs it must get before the marker.
    due: u64,
    arrived: watch::Receiver<u64>,
}

impl Stage {
    /// A stage on the broker at `target`; `patience` is how long to wait for what does not come.
    pub(super) fn new(target: Target, limits: Limits, patience: Duration) -> Result<Self, Failure> {
        Ok(Self { runtime: plugins::runtime(limits)?, target, patience, loaded: HashMap::new() })
    }

    /// Plays `scenario`.
    pub(super) async fn play(&mut self, mut scenario: ScenarioFile) -> Result<Played, Failure> {
        let expectations = scenario.check().status(Status::BadInput)?.expectations;
        if expectations.is_empty() {
            let text =
                format!("{}: expects nothing of any consumer; add `expect all`, for one", scenario.name());
            return Err(Failure::new(Status::BadInput, text));
        }
        let consumers = self.cast(&scenario, &expectations)?;
        // Names that nobody else has.
        let prefix = format!("verify-{}", Uuid::new_v4().simple());
        let target =
            Target { names: Names::new(prefix.parse().status(Status::Internal)?), ..self.target.clone() };
        let consuming = target.connect("verifying: consuming").await?;
        let publishing = target.connect("verifying: publishing").await?;
        amqp::lend_exchanges(&consuming, &target.names).await.map_err(refused)?;

        let token = Uuid::new_v4().to_string();
        let mut roles = Vec::new();
        let mut tasks = JoinSet::new();
        for (place, consumer) in consumers.into_iter().enumerate() {
            let descriptor = consumer.descriptor().clone();
            let options = SourceOptions {
                queue: QueueKind::Exclusive,
                prefetch: 1000,
                reads_logs: consumer.processes(),
                marker: Some(token.clone()),
            };
            let clock = ReplayClock::new();
            let source = AmqpSource::open(
                &consuming,
                &publishing,
                target.names.clone(),
                &descriptor,
                options,
                ReplayClock::new(),
            )
            .await
            .status(Status::Unavailable)?;
            let (arriving, arrived) = watch::channel(0);
            let queue = source.queue().to_owned();
            roles.push(Role { name: descriptor.name, filter: descriptor.filter, queue, due: 0, arrived });
            let (told, text) = watch::channel(None);
            let consume =
                Consume::new(source, consumer, clock, Prompter { told, arriving }, consume_options());
            tasks.spawn(async move {
                let finished = consume.run(std::future::pending()).await;
                let text = text.borrow().clone();
                (place, outcome(&finished, text))
            });
        }

        let sink = AmqpSink::open(&publishing, target.names.clone()).await.map_err(refused)?;
        let producer = Producer::new("scenario").status(Status::Internal)?;
        let mut publisher = Publish::new(sink, Sequencer::new(producer), ScenarioClock::new());
        for step in scenario.into_steps().status(Status::BadInput)? {
            let Step::Logs { log, times } = step.status(Status::BadInput)? else { continue };
            count_due(&mut roles, &log, times.get());
            for _ in 0..times.get() {
                self.patiently(publisher.log(&log), "the broker to take the scenario's logs").await?;
            }
        }
        self.patiently(publisher.flush(), "the broker to confirm the scenario's logs").await?;
        for role in &roles {
            // A consumer that has failed took its queue with it; its task says why.
            let _ = publisher.sink_mut().mark(&role.queue, &role.name, &token).await;
        }
        let mut actual: Vec<Option<Result<String, String>>> = roles.iter().map(|_| None).collect();
        while let Ok(Some(joined)) = timeout(self.patience, tasks.join_next()).await {
            let (place, text) = joined.status(Status::Internal)?;
            actual[place] = Some(text);
        }
        let metrics = expectations
            .into_iter()
            .zip(&roles)
            .zip(actual)
            .map(|((expectation, role), actual)| PlayedMetric {
                expectation,
                actual: actual.unwrap_or_else(|| Err(missing(role, self.patience))),
            })
            .collect();
        let receipts = publisher.receipts();
        for connection in [consuming, publishing] {
            // What it held is gone either way.
            let _ = connection.close().await;
        }
        Ok(Played { receipts, metrics })
    }

    /// Loads and configures the plugin of each expectation.
    fn cast(
        &mut self,
        scenario: &ScenarioFile,
        expectations: &[Expectation],
    ) -> Result<Vec<WasmConsumer>, Failure> {
        let mut consumers = Vec::new();
        for expectation in expectations {
            let source = match &expectation.consumer {
                ConsumerRef::Bundled(name) => PluginSource::Bundled(name.to_string()),
                ConsumerRef::File(file) => PluginSource::File(scenario.plugin_path(file)),
            };
            let in_scenario = |failure: Failure| Failure {
                error: failure
                    .error
                    .map(|error| error.context(format!("{}:{}", scenario.name(), expectation.line))),
                ..failure
            };
            let plugin = if let Some(plugin) = self.loaded.get(&source) {
                Arc::clone(plugin)
            } else {
                let plugin = plugins::load(&self.runtime, &source).map_err(&in_scenario)?;
                self.loaded.insert(source.clone(), Arc::clone(&plugin));
                plugin
            };
            let consumer = plugins::start(&self.runtime, plugin, &source, &expectation.settings)
                .map_err(&in_scenario)?;
            consumers.push(consumer);
        }
        Ok(consumers)
    }

    async fn patiently<T, E: Into<anyhow::Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        what: &str,
    ) -> Result<T, Failure> {
        if let Ok(done) = timeout(self.patience, work).await {
            return done.status(Status::Unavailable);
        }
        let waited = humantime::format_duration(self.patience);
        Err(Failure::new(Status::Unavailable, format!("waited {waited} in vain for {what} (--timeout)")))
    }
}

fn consume_options() -> ConsumeOptions {
    ConsumeOptions {
        max_batch: 256,
        batching: Batching::Full,
        // The one metric that counts is the last.
        every: Duration::from_hours(24),
        max_logs: None,
        max_retries: 5,
        max_held: 500,
    }
}

fn count_due(roles: &mut [Role], log: &Log, times: u64) {
    let source = log.source.as_ref().map_or("", |source| source.as_str());
    for role in roles {
        if role.filter.wants(log.severity, source) {
            role.due += times;
        }
    }
}

fn outcome(finished: &Finished, text: Option<Result<String, ConsumerError>>) -> Result<String, String> {
    match (&finished.end, text) {
        (End::Marker, Some(Ok(text))) => Ok(text),
        (End::Marker, Some(Err(error))) => Err(error.to_string()),
        (end, _) => Err(end.to_string()),
    }
}

fn missing(role: &Role, patience: Duration) -> String {
    let arrived = *role.arrived.borrow();
    let waited = humantime::format_duration(patience);
    if arrived < role.due {
        format!("{} of {} logs did not arrive within {waited} (--timeout)", role.due - arrived, role.due)
    } else {
        format!("the marker that ends the scenario did not arrive within {waited} (--timeout)")
    }
}

/// Takes the last metric of a consumer, and counts what it gets.
struct Prompter {
    told: watch::Sender<Option<Result<String, ConsumerError>>>,
    arriving: watch::Sender<u64>,
}

impl Reporter for Prompter {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        self.told.send_replace(Some(report.text.clone()));
        Ok(())
    }

    fn stray(&mut self, consumer: &ConsumerName, exchange: &str) {
        terminal::notice(&format!("{consumer}: a message came through `{exchange}`"));
    }

    fn progress(&mut self, _: &ConsumerName, logs: u64) {
        self.arriving.send_modify(|arrived| *arrived += logs);
    }
}

/// The tally of what was confirmed, in a line.
pub(super) fn confirmed_text(confirmed: &Tally) -> String {
    format!("{}  total {}", terminal::tally_text(confirmed), confirmed.total())
}
