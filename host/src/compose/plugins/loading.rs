//! Loading the plugins of a run, each once.

use std::collections::HashMap;
use std::sync::Arc;

use loghost_core::application::{Consumer, Event, Observer, RunEvent};
use loghost_core::domain::ConsumerName;
use loghost_wasm::{Limits, Runtime, WasmConsumer};

use crate::compose::configured::{Configured, Members};
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::loader::{Loaded, PluginLoader, runtime};
use crate::compose::plugins::settings::{ConfiguredPlugin, GivenSettings};
use crate::compose::plugins::source::{Found, PluginSource};
use crate::compose::running::member::Member;
use crate::compose::running::supervise::OnFailure;

/// The plugins of a run.
pub(crate) struct Started {
    pub(crate) members: Vec<(Member, WasmConsumer)>,
    /// What it means that some in a folder cannot be loaded; which was said.
    pub(crate) failed: Option<Status>,
}

/// What consumers a run is asked for, and what is for all of them.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) members: &'a Members,
    pub(crate) settings: &'a GivenSettings,
    pub(crate) limits: &'a Limits,
    pub(crate) options: &'a ConsumerOptions,
    pub(crate) on_failure: OnFailure,
    /// Is told what is left out.
    pub(crate) observer: &'a dyn Observer,
}

/// A plugin that is to be loaded.
struct PluginCandidate {
    source: PluginSource,
    found: Found,
    loader: Arc<PluginLoader>,
    options: ConsumerOptions,
    /// Where a file says so.
    location: Option<String>,
}

/// Loads and configures every plugin; no two may have the same name. One file of a folder that is no plugin, or only
/// half a one, is left out.
pub(crate) fn start(wanted: &Wanted<'_>) -> Result<Started, Failure> {
    let candidates = match wanted.members {
        Members::Plugins(_) => named(wanted)?,
        Members::Configured(consumers) => configured(consumers, wanted.settings)?,
    };
    let mut loaded: Vec<(PluginCandidate, Loaded)> = Vec::new();
    let mut failed: Option<Failure> = None;
    let mut names: HashMap<ConsumerName, PluginSource> = HashMap::new();
    for candidate in candidates {
        let source = &candidate.source;
        let plugin = match candidate.loader.load(source, wanted.observer) {
            Err(failure)
                if candidate.found == Found::InFolder
                    && failure.status() == Status::BadInput
                    && wanted.on_failure == OnFailure::GoOn =>
            {
                if let Some(before) = failed.replace(failure) {
                    tell_left_out(&before, wanted.observer);
                }
                continue;
            }
            loaded => loaded.map_err(|failure| match &candidate.location {
                Some(location) => failure.context(location.clone()),
                None => failure,
            })?,
        };
        let name = &plugin.consumer.descriptor().name;
        if let Some(other) = names.insert(name.clone(), source.clone()) {
            return Err(named_twice(source, name, &other));
        }
        loaded.push((candidate, plugin));
    }
    match failed {
        Some(failure) if loaded.is_empty() => return Err(failure),
        ref some => some.iter().for_each(|failure| tell_left_out(failure, wanted.observer)),
    }
    let takers = loaded.iter().map(|(_, it)| ConfiguredPlugin { names: &it.names, refusals: &it.refusals });
    if let Some((candidate, _)) = loaded.first() {
        candidate.loader.settings().all_taken(&takers.collect::<Vec<_>>())?;
    }
    let member = |(candidate, loaded): (PluginCandidate, Loaded)| {
        Member::new(candidate.source, candidate.loader, candidate.options, loaded)
    };
    let members = loaded.into_iter().map(member).collect();
    Ok(Started { members, failed: failed.as_ref().map(Failure::status) })
}

/// Those of the files that are named, which have everything in common.
fn named(wanted: &Wanted<'_>) -> Result<Vec<PluginCandidate>, Failure> {
    let Members::Plugins(paths) = wanted.members else { return Ok(Vec::new()) };
    let files = PluginSource::files(paths, wanted.observer)?;
    let stems = files.iter().map(|(source, _)| source.stem()).collect();
    let settings = wanted.settings.clone().for_files(stems);
    let runtime = runtime(wanted.limits.clone())?;
    let loader = Arc::new(PluginLoader::new(runtime, settings, wanted.options.derived));
    let candidate = |(source, found)| PluginCandidate {
        source,
        found,
        loader: Arc::clone(&loader),
        options: wanted.options.clone(),
        location: None,
    };
    Ok(files.into_iter().map(candidate).collect())
}

/// Those of a configuration file. What is given for all goes behind what each has of its own.
fn configured(consumers: &[Configured], for_all: &GivenSettings) -> Result<Vec<PluginCandidate>, Failure> {
    let names = consumers.iter().map(|consumer| consumer.name.to_string()).collect();
    let own = consumers.iter().flat_map(|Configured { name, settings, .. }| {
        settings.iter().map(move |(key, value)| (format!("{name}.{key}"), value.clone()))
    });
    let settings = for_all.clone().behind(own.collect()).for_files(names);
    // An engine for all that have the same limits.
    let mut runtimes: Vec<(Limits, Runtime)> = Vec::new();
    let mut candidates = Vec::new();
    for Configured { name, location, plugin, limits, options, .. } in consumers {
        let known = runtimes.iter().position(|(others, _)| others == limits);
        if known.is_none() {
            runtimes.push((limits.clone(), runtime(limits.clone())?));
        }
        let (_, runtime) = &runtimes[known.unwrap_or(runtimes.len() - 1)];
        let loader =
            PluginLoader::new(runtime.clone(), settings.clone(), options.derived).for_consumer(name.clone());
        candidates.push(PluginCandidate {
            source: PluginSource::File(plugin.clone()),
            found: Found::ByName,
            loader: Arc::new(loader),
            options: options.clone(),
            location: Some(location.clone()),
        });
    }
    Ok(candidates)
}

fn named_twice(source: &PluginSource, name: &ConsumerName, other: &PluginSource) -> Failure {
    if other == source {
        return Failure::new(
            Status::BadConfiguration,
            format!("{source}: is given twice: leave it out once"),
        );
    }
    let text = format!(
        "{source}: another plugin of this run is called `{name}` as well ({other}): leave one out. A name stands for \
         a queue and its counts; one plugin can run with several settings only if its name is one of them, from a \
         copy for each: --set FILE.KEY=VALUE"
    );
    Failure::new(Status::BadConfiguration, text)
}

/// Tells why one consumer is left out, which is no reason for the others to be.
pub(crate) fn tell_left_out(failure: &Failure, observer: &dyn Observer) {
    if let Some(text) = failure.text() {
        observer.observe(&Event::Run(RunEvent::LeftOut(failure.consumer(), &text)));
    }
}
