//! From plugins to consumers.

use std::sync::Arc;

use loghost_core::application::{Consumer, Event, Observer, RunEvent};
use loghost_core::domain::{ConsumerName, Descriptor, Severities, printable_line};
use loghost_wasm::{Limits, LoadError, Plugin, Runtime, StartError, WasmConsumer};
use tokio::task::block_in_place;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::plugins::guest_lines::guest_lines;
use crate::compose::plugins::settings::{GivenSettings, RefusedSetting};
use crate::compose::plugins::source::PluginSource;
use crate::compose::plugins::suggestion::instead_of_a_plugin;
use crate::ui::terminal::LogObserver;

/// Whether plugins may publish logs of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derived {
    /// They may.
    Granted,
    /// They may not, and a plugin that wants to does not start.
    Refused,
    /// They may say so, and it goes nowhere.
    Dropped,
}

/// What plugins are loaded with.
pub(crate) struct PluginLoader {
    runtime: Runtime,
    settings: GivenSettings,
    derived: Derived,
    /// The only consumer that is loaded with it, if that is known before.
    consumer: Option<ConsumerName>,
}

/// A plugin that was configured with what of a run's settings is its own.
pub(crate) struct Loaded {
    pub(crate) consumer: WasmConsumer,
    /// What its settings may be given for; the last is what it is called.
    pub(crate) names: Vec<String>,
    /// What was given for all, and it does not take.
    pub(crate) refusals: Vec<RefusedSetting>,
    /// What it was configured with.
    pub(crate) settings: Vec<(String, String)>,
}

impl PluginLoader {
    /// A loader whose members are bound by the limits of the `runtime`, and configured with `settings`.
    pub(crate) fn new(runtime: Runtime, settings: GivenSettings, derived: Derived) -> Self {
        Self { runtime, settings, derived, consumer: None }
    }

    /// The same, for nothing but the consumer of this name.
    pub(crate) fn for_consumer(self, consumer: ConsumerName) -> Self {
        Self { consumer: Some(consumer), ..self }
    }

    /// Whether the consumer of this name has the same settings and limits with it as with `other`.
    pub(crate) fn is_as(&self, other: &Self, name: &ConsumerName) -> bool {
        let names = [name.to_string()];
        self.settings.of(&names, &[]) == other.settings.of(&names, &[])
            && self.runtime.limits() == other.runtime.limits()
    }

    /// The settings of the run.
    pub(crate) fn settings(&self) -> &GivenSettings {
        &self.settings
    }

    /// Loads and configures the plugin at `source`; tells the `observer` if it consumes what it publishes.
    pub(crate) fn load(&self, source: &PluginSource, observer: &dyn Observer) -> Result<Loaded, Failure> {
        let plugin = load(&self.runtime, source)?;
        let loaded = match &self.consumer {
            Some(name) => self.load_as(name, &plugin, source)?,
            None => self.load_any(&plugin, source)?,
        };
        self.check_publishing(source, loaded.consumer.descriptor(), observer)?;
        Ok(loaded)
    }

    /// Configures the plugin of the consumer that is to be called so.
    fn load_as(
        &self,
        expected: &ConsumerName,
        plugin: &Arc<Plugin>,
        source: &PluginSource,
    ) -> Result<Loaded, Failure> {
        let loaded = self.configure(plugin, source, vec![expected.to_string()])?;
        let name = &loaded.consumer.descriptor().name;
        if name == expected {
            return Ok(loaded);
        }
        let text = format!(
            "{source}: calls itself `{name}`, and not `{expected}`: a consumer's table is called as its plugin calls itself, \
             [consumers.{name}]"
        );
        Err(Failure::new(Status::BadConfiguration, text))
    }

    /// Configures a plugin whose name only it knows.
    fn load_any(&self, plugin: &Arc<Plugin>, source: &PluginSource) -> Result<Loaded, Failure> {
        let stem = source.stem();
        let mut loaded = self.configure(plugin, source, vec![stem.clone()])?;
        let name = loaded.consumer.descriptor().name.to_string();
        if name != stem {
            // Only now it is known what is given for it by this name.
            let names = vec![stem, name];
            if self.settings.name(&names[1]) {
                loaded = self.configure(plugin, source, names)?;
            } else {
                loaded.names = names;
            }
        }
        Ok(loaded)
    }

    /// Configures a plugin of these names with what it takes of the settings.
    fn configure(
        &self,
        plugin: &Arc<Plugin>,
        source: &PluginSource,
        names: Vec<String>,
    ) -> Result<Loaded, Failure> {
        let mut refusals: Vec<RefusedSetting> = Vec::new();
        loop {
            let settings = self.settings.of(&names, &refusals);
            let error = match configure(&self.runtime, plugin.clone(), source, settings.clone()) {
                Ok(consumer) => return Ok(Loaded { consumer, names, refusals, settings }),
                Err(error) => error,
            };
            let refusal = refusal(&error).filter(|it| {
                self.settings.is_for_all(&it.key, &names) && settings.iter().any(|(key, _)| *key == it.key)
            });
            match refusal {
                Some(refusal) => refusals.push(refusal),
                None => return Err(not_started(source, error)),
            }
        }
    }

    fn check_publishing(
        &self,
        source: &PluginSource,
        descriptor: &Descriptor,
        observer: &dyn Observer,
    ) -> Result<(), Failure> {
        let Descriptor { publishes: wanted, filter, .. } = descriptor;
        if self.derived == Derived::Dropped {
            return Ok(());
        }
        if !wanted.is_empty() && self.derived == Derived::Refused {
            let text = format!("{source}: wants to publish logs ({wanted}): allow it with --grant publish");
            return Err(Failure::new(Status::BadConfiguration, text));
        }
        let both: Severities = wanted.iter().filter(|it| filter.severities().contains(*it)).collect();
        if !both.is_empty() {
            observer.observe(&Event::Run(RunEvent::ConsumesItsOwn(&source.to_string(), both)));
        }
        Ok(())
    }
}

/// Sets up the engine.
pub(crate) fn runtime(limits: Limits) -> Result<Runtime, Failure> {
    Runtime::new(limits).status(Status::BadConfiguration)
}

/// Compiles the component of `source`.
pub(crate) fn load(runtime: &Runtime, source: &PluginSource) -> Result<Arc<Plugin>, Failure> {
    let bytes = source.read()?;
    let plugin = block_in_place(|| Plugin::load(runtime, &bytes));
    plugin.map(Arc::new).map_err(|error| match (&error, source) {
        (LoadError::NotWasm, PluginSource::File(path)) => {
            let instead = printable_line(&instead_of_a_plugin(&bytes, path)).into_owned();
            Failure::new(Status::BadInput, format!("{source}: {error}{instead}"))
        }
        _ => Failure::of(Status::BadInput, anyhow::Error::new(error).context(source.to_string())),
    })
}

/// Instantiates and configures `plugin`.
pub(crate) fn start(
    runtime: &Runtime,
    plugin: Arc<Plugin>,
    source: &PluginSource,
    settings: &[(String, String)],
) -> Result<WasmConsumer, Failure> {
    configure(runtime, plugin, source, settings.to_vec()).map_err(|error| not_started(source, error))
}

fn configure(
    runtime: &Runtime,
    plugin: Arc<Plugin>,
    source: &PluginSource,
    settings: Vec<(String, String)>,
) -> Result<WasmConsumer, StartError> {
    let file = source.to_string();
    let log = guest_lines(Arc::new(LogObserver::default()));
    block_in_place(|| WasmConsumer::start(runtime, plugin, &file, settings, log))
}

fn not_started(source: &PluginSource, error: StartError) -> Failure {
    if let Some(refusal) = refusal(&error) {
        let meant = printable_line(&refusal.question()).into_owned();
        return Failure::new(Status::BadConfiguration, format!("{source}: {error}{meant}"));
    }
    let status = match error {
        StartError::Settings(_) => Status::BadConfiguration,
        _ => Status::BadInput,
    };
    Failure::of(status, anyhow::Error::new(error).context(source.to_string()))
}

/// The setting that a plugin does not take, if that is the error.
fn refusal(error: &StartError) -> Option<RefusedSetting> {
    match error {
        StartError::Settings(words) => RefusedSetting::parse(words),
        _ => None,
    }
}
