//! `loghost replay`: plugins over the past of the streams, and two of them side by side.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use loghost_core::application::{
    self as application, Consumer, End, Publish, ReplayOptions, Replayed, SystemClock,
};
use loghost_core::domain::{Filter, Pattern, Sequencer, Severities, Severity, TracesRead};
use loghost_rabbitmq::{
    AmqpSink, BindRules, Decode, Destination, Exchanges, PastStreams, ReconnectingConnection,
};
use loghost_wasm::{Limits, WasmConsumer};

use crate::compose::configured::Members;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::loader::{Derived, PluginLoader, runtime};
use crate::compose::plugins::loading::{self, Wanted};
use crate::compose::plugins::settings::{ConfiguredPlugin, GivenSettings};
use crate::compose::plugins::source::PluginSource;
use crate::compose::reading::past::{OpenedPast, Past};
use crate::compose::running::supervise::{OnFailure, status_of};
use crate::compose::target::{Target, new_producer, unpublished};
use crate::platform::signals::interrupted;
use crate::ui::errors::chain;
use crate::ui::replay::{ReplayOutcome, ReplayView};
use crate::ui::terminal::{LogObserver, OutputFormat};

/// What `replay` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) past: Past,
    /// Of which exchanges of others the streams are read as well.
    pub(crate) rules: BindRules,
    /// Files, and folders of them.
    pub(crate) plugins: Vec<PathBuf>,
    /// What the one plugin is compared with.
    pub(crate) compare: Option<PathBuf>,
    /// All that the plugins want, if none is named.
    pub(crate) severities: Vec<Severity>,
    pub(crate) sources: Vec<Pattern>,
    pub(crate) settings: GivenSettings,
    pub(crate) limits: Limits,
    pub(crate) derived: Derived,
    pub(crate) replay: ReplayOptions,
    pub(crate) format: OutputFormat,
}

/// The plugins of a replay.
struct LoadedPlugins {
    plugins: Vec<WasmConsumer>,
    /// What it means that some in a folder cannot be loaded; which was said.
    failed: Option<Status>,
}

/// Replays the logs, and prints what came of it.
pub(crate) async fn replay(options: Options) -> Result<(), Failure> {
    let mut interrupted = pin!(interrupted().status(Status::Internal)?);
    let LoadedPlugins { plugins, failed } = load_plugins(&options)?;
    let filter = filter(&options, &plugins)?;
    let decode = decode(&plugins);
    tokio::select! {
        replayed = show_past(&options, plugins, filter, decode) => replayed?,
        () = &mut interrupted => {
            return Err(Failure::new(Status::Unavailable, "interrupted before the end: there is no metric"));
        }
    }
    failed.map_or(Ok(()), |status| Err(Failure::silent(status)))
}

/// Shows the logs of the past to the plugins.
async fn show_past(
    options: &Options,
    plugins: Vec<WasmConsumer>,
    filter: Filter,
    decode: Decode,
) -> Result<(), Failure> {
    let OpenedPast { connection, mut logs } =
        options.past.open(&options.target, "replay", (filter, options.rules.clone()), decode).await?;
    let versions = options.compare.as_ref().zip(options.plugins.first());
    let versions = versions.map(|(other, one)| [one, other].map(|path| path.display().to_string()));
    let mut view = ReplayView::new(options.format, versions, logs.spans());
    let done = match <[WasmConsumer; 2]>::try_from(plugins) {
        Ok(versions) if options.compare.is_some() => {
            Box::pin(compare(&mut logs, versions, options.replay, &mut view)).await
        }
        Ok(plugins) => replay_each(options, &connection, &mut logs, plugins.into(), &mut view).await,
        Err(plugins) => replay_each(options, &connection, &mut logs, plugins, &mut view).await,
    };
    OpenedPast { connection, logs }.close().await;
    done
}

/// Loads the plugins; of a comparison, two, which may have the same name.
fn load_plugins(options: &Options) -> Result<LoadedPlugins, Failure> {
    let Options { settings, limits, derived, .. } = options;
    let observer = &LogObserver::default();
    let Some(other) = &options.compare else {
        let members = Members::Plugins(options.plugins.clone());
        let consumer = ConsumerOptions { derived: *derived, ..ConsumerOptions::default() };
        let (members, options, on_failure) = (&members, &consumer, OnFailure::GoOn);
        let started = loading::start(&Wanted { members, settings, limits, options, on_failure, observer })?;
        let plugins = started.members.into_iter().map(|(_, consumer)| consumer).collect();
        return Ok(LoadedPlugins { plugins, failed: started.failed });
    };
    let [one] = options.plugins.as_slice() else {
        let text = "--compare is for one plugin and one other: give one PLUGIN";
        return Err(Failure::new(Status::Usage, text));
    };
    let sources = [one, other].map(|path| PluginSource::File(path.clone()));
    let settings = settings.clone().for_files(sources.iter().map(PluginSource::stem).collect());
    let loader = PluginLoader::new(runtime(limits.clone())?, settings, *derived);
    let versions: Vec<_> =
        sources.iter().map(|source| loader.load(source, observer)).collect::<Result<_, _>>()?;
    let takers: Vec<_> =
        versions.iter().map(|it| ConfiguredPlugin { names: &it.names, refusals: &it.refusals }).collect();
    loader.settings().all_taken(&takers)?;
    Ok(LoadedPlugins { plugins: versions.into_iter().map(|it| it.consumer).collect(), failed: None })
}

/// Which logs are read: what is asked for, of what one of the plugins wants. Each is shown only what it wants of them.
fn filter(options: &Options, plugins: &[WasmConsumer]) -> Result<Filter, Failure> {
    let filters = || plugins.iter().map(|consumer| &consumer.descriptor().filter);
    let wanted: Severities = filters().flat_map(|filter| filter.severities().iter()).collect();
    let is_asked =
        |severity: &Severity| options.severities.is_empty() || options.severities.contains(severity);
    let severities: Severities = wanted.iter().filter(is_asked).collect();
    if severities.is_empty() {
        let asked: Severities = options.severities.iter().copied().collect();
        let text = format!("--severity: no plugin wants {asked} logs, but {wanted}");
        return Err(Failure::new(Status::Usage, text));
    }
    let sources = match options.sources.as_slice() {
        [] => filters().flat_map(|filter| filter.sources().iter().cloned()).collect(),
        asked => asked.to_vec(),
    };
    Ok(Filter::new(severities, sources))
}

/// Which part of the logs one of the plugins looks at.
fn decode(plugins: &[WasmConsumer]) -> Decode {
    let processing = || plugins.iter().filter(|consumer| consumer.processes());
    Decode {
        message: processing().next().is_some(),
        attributes: processing().any(|consumer| consumer.descriptor().fields.attributes),
        traces: TracesRead::None,
    }
}

async fn replay_each(
    options: &Options,
    connection: &Arc<ReconnectingConnection>,
    logs: &mut PastStreams,
    consumers: Vec<WasmConsumer>,
    view: &mut ReplayView,
) -> Result<(), Failure> {
    let mut publishing = Vec::new();
    for consumer in consumers {
        let severities = consumer.descriptor().publishes;
        let derived = if options.derived == Derived::Granted && !severities.is_empty() {
            let destination = Destination::Severities(options.target.names.clone(), Exchanges::Found);
            let opening = AmqpSink::open(Arc::clone(connection), destination, severities.iter());
            let sink = opening.await.map_err(unpublished)?;
            Some(Publish::new(sink, Sequencer::new(new_producer()?), SystemClock))
        } else {
            None
        };
        publishing.push((consumer, derived));
    }
    let replayed = application::replay(logs, publishing, options.replay, view).await;
    let replayed = replayed.map_err(|end| failure(&end))?;
    view.end(&ReplayOutcome::Each(&replayed))?;
    stopped(&replayed)
}

async fn compare(
    logs: &mut PastStreams,
    consumers: [WasmConsumer; 2],
    options: ReplayOptions,
    view: &mut ReplayView,
) -> Result<(), Failure> {
    let comparing = application::compare::<_, AmqpSink, SystemClock>(logs, consumers, options, view);
    let compared = Box::pin(comparing).await.map_err(|end| failure(&end))?;
    view.end(&ReplayOutcome::Compared(&compared))?;
    stopped(&compared.replayed)?;
    let [one, other] = &compared.replayed;
    if compared.differences == 0 && one.text == other.text {
        Ok(())
    } else {
        Err(Failure::silent(Status::Differs))
    }
}

/// An error if one of them was stopped: it has not seen all logs.
fn stopped(replayed: &[Replayed]) -> Result<(), Failure> {
    let stopped = replayed.iter().find_map(|it| Some((&it.consumer, it.stopped.as_ref()?)));
    stopped.map_or(Ok(()), |(consumer, error)| {
        let text =
            format!("was stopped, because it kept failing: {error}: it was not shown the rest of the logs");
        Err(Failure::new(Status::Stopped, text).of_consumer(consumer.clone()))
    })
}

fn failure(end: &End) -> Failure {
    Failure::new(status_of(end), chain(end))
}
