//! Running a scenario: its logs go through a broker to the plugins that it names, to each through a queue of its own.
//!
//! Everything on the broker belongs to the run of the scenario, and goes with its connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{CheckedMetric, Observer, Publish, Receipts, UnboundLogs};
use loghost_core::domain::scenario::{ConsumerRef, Expectation, Step};
use loghost_core::domain::{Producer, Sequencer};
use loghost_rabbitmq::{self, Address, AmqpSink, Exchanges, Names, Retry};
use loghost_wasm::{Limits, Plugin, Runtime, WasmConsumer};
use tokio::time::timeout;
use uuid::Uuid;

use crate::compose::connections::Connections;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::observers::Observers;
use crate::compose::plugins::loader;
use crate::compose::plugins::source::PluginSource;
use crate::compose::scenario::consumers::ScenarioConsumers;
use crate::compose::scenario::exchange::ScenarioExchange;
use crate::compose::target::{Target, refused};
use crate::files::bundled;
use crate::files::scenario_file::ScenarioFile;
use crate::platform::clock::ScenarioClock;
use crate::ui::terminal::LogObserver;

/// Runs scenarios, one after the other.
pub(crate) struct ScenarioRunner {
    runtime: Runtime,
    addresses: Vec<Address>,
    timeout: Duration,
    exchange: Option<ScenarioExchange>,
    loaded: HashMap<PluginSource, Arc<Plugin>>,
    /// Who is told what happens.
    observer: Arc<dyn Observer>,
}

/// How scenarios are run.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioOptions {
    /// How long to wait for what does not come.
    pub(crate) timeout: Duration,
    /// What each plugin may use.
    pub(crate) limits: Limits,
    /// Where they are published to, if that is not the exchange of each log's severity.
    pub(crate) exchange: Option<ScenarioExchange>,
}

impl Default for ScenarioOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), limits: Limits::default(), exchange: None }
    }
}

/// What came of a scenario.
pub(crate) struct ScenarioResult {
    /// What the broker confirmed.
    pub(crate) receipts: Receipts,
    /// For each expectation, in their order.
    pub(crate) metrics: Vec<CheckedMetric>,
    /// What no rule brings to anybody.
    pub(crate) unbound: UnboundLogs,
}

impl ScenarioRunner {
    /// One on the first broker of these that answers.
    pub(crate) fn new(addresses: Vec<Address>, options: ScenarioOptions) -> Result<Self, Failure> {
        let ScenarioOptions { timeout, limits, exchange } = options;
        let runtime = loader::runtime(limits)?;
        let observer = Arc::new(LogObserver::default());
        Ok(Self { runtime, addresses, timeout, exchange, loaded: HashMap::new(), observer })
    }

    /// The same, of which `observer` is told as well what happens.
    pub(crate) fn watched_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Arc::new(Observers(vec![self.observer, observer])), ..self }
    }

    /// Runs `scenario`.
    pub(crate) async fn run(&mut self, mut scenario: ScenarioFile) -> Result<ScenarioResult, Failure> {
        let expectations = scenario.check().status(Status::BadInput)?.expectations;
        if expectations.is_empty() {
            let text =
                format!("{}: expects nothing of any consumer; add `expect all`, for one", scenario.name());
            return Err(Failure::new(Status::BadInput, text));
        }
        let consumers = self.start_consumers(&scenario, &expectations)?;
        // Names that nobody else has.
        let prefix = format!("verify-{}", Uuid::new_v4().simple());
        let names = Names::new(prefix.parse().status(Status::Internal)?);
        // The queues go with the connections: a scenario whose broker is lost has failed.
        let target = Target { addresses: self.addresses.clone(), names, from: None, retry: Retry::Never };
        let purposes = ["verifying: consuming", "verifying: publishing"];
        let connections = Connections::connect(&target, purposes, &self.observer).await?;
        let connection =
            connections.consuming.connection().await.map_err(|error| target.unreachable(&error))?;
        loghost_rabbitmq::declare_temporary_exchanges(&connection, &target.names).await.map_err(refused)?;
        let exchange = self.exchange.as_ref().map(|exchange| exchange.stand_in(&target.names));
        if let Some(exchange) = &exchange {
            exchange.lend(&connection).await?;
        }

        let mut scenario_consumers =
            ScenarioConsumers::new(connections, Arc::clone(&self.observer), exchange.clone());
        for consumer in consumers {
            scenario_consumers.add(consumer).await?;
        }
        let connections = scenario_consumers.connections();
        let sink = match &exchange {
            Some(exchange) => connections.sink_to(exchange.destination(), []).await?,
            None => connections.sink(Exchanges::Temporary, []).await?,
        };
        let (receipts, unbound) =
            self.publish(scenario, sink, &mut scenario_consumers, exchange.as_ref()).await?;
        let actual = scenario_consumers.finish(self.timeout).await?;
        scenario_consumers.connections().close().await;
        let metrics = expectations.into_iter().zip(actual);
        let metrics = metrics.map(|(expectation, actual)| CheckedMetric { expectation, actual }).collect();
        Ok(ScenarioResult { receipts, metrics, unbound })
    }

    /// Publishes the scenario's logs, and behind them a marker into every queue.
    async fn publish(
        &self,
        scenario: ScenarioFile,
        sink: AmqpSink,
        scenario_consumers: &mut ScenarioConsumers,
        exchange: Option<&ScenarioExchange>,
    ) -> Result<(Receipts, UnboundLogs), Failure> {
        let mut unbound = UnboundLogs::default();
        let producer = Producer::new("scenario").status(Status::Internal)?;
        let mut publisher = Publish::new(sink, Sequencer::new(producer), ScenarioClock::new());
        for step in scenario.into_steps().status(Status::BadInput)? {
            let Step::Logs { log, times } = step.status(Status::BadInput)? else { continue };
            scenario_consumers.expect(&log, times.get());
            if let Some(exchange) = exchange {
                exchange.note(&mut unbound, &log, times.get());
            }
            for _ in 0..times.get() {
                self.in_time(publisher.log(&log), "the broker to take the scenario's logs").await?;
            }
        }
        self.in_time(publisher.flush(), "the broker to confirm the scenario's logs").await?;
        let receipts = publisher.receipts();
        if receipts.refused.total() > 0 {
            let text = format!("the broker refused {} of the scenario's logs", receipts.refused.total());
            return Err(Failure::new(Status::Unavailable, text));
        }
        let marking = async {
            scenario_consumers.mark(publisher.sink_mut()).await;
            Ok::<_, anyhow::Error>(())
        };
        self.in_time(marking, "the broker to take the markers").await?;
        Ok((receipts, unbound))
    }

    /// Loads and configures the plugin of each expectation.
    fn start_consumers(
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
            let in_scenario =
                |failure: Failure| failure.context(format!("{}:{}", scenario.name(), expectation.line));
            let plugin = if let Some(plugin) = self.loaded.get(&source) {
                Arc::clone(plugin)
            } else {
                let plugin = loader::load(&self.runtime, &source).map_err(|failure| {
                    in_scenario(of_another_name(scenario, &expectation.consumer).unwrap_or(failure))
                })?;
                self.loaded.insert(source.clone(), Arc::clone(&plugin));
                plugin
            };
            let consumer =
                loader::start(&self.runtime, plugin, &source, &expectation.settings).map_err(&in_scenario)?;
            consumers.push(consumer);
        }
        Ok(consumers)
    }

    async fn in_time<T, E: Into<anyhow::Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        what: &str,
    ) -> Result<T, Failure> {
        if let Ok(done) = timeout(self.timeout, work).await {
            return done.status(Status::Unavailable);
        }
        let waited = humantime::format_duration(self.timeout);
        Err(Failure::new(Status::Unavailable, format!("waited {waited} in vain for {what} (--timeout)")))
    }
}

/// Which plugin is probably meant that is there: the bundled one, or the file, that has the same name.
fn of_another_name(scenario: &ScenarioFile, consumer: &ConsumerRef) -> Option<Failure> {
    let meant = match consumer {
        ConsumerRef::Bundled(name) => Some(format!("{name}.wasm")).filter(|file| {
            bundled::plugin(name.as_str()).is_none() && scenario.plugin_path(file).is_file()
        })?,
        ConsumerRef::File(file) => {
            let name = file.strip_suffix(".wasm").filter(|name| bundled::plugin(name).is_some())?;
            Some(name.to_owned()).filter(|_| !scenario.plugin_path(file).exists())?
        }
    };
    let text = format!("there is no plugin `{consumer}` (is `expect {meant}` meant?)");
    Some(Failure::new(Status::BadInput, text))
}
