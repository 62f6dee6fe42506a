//! A plugin as a `Consumer`: configures it, calls it, and makes a new instance after a failure.

use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{Consumer, ConsumerError};
use loghost_core::domain::{Descriptor, Measures, Metric, Processed, Record, Timestamp, printable_line};
use loghost_system::Refusal;
use tokio::task::block_in_place;

use super::backtrace::backtrace;
use super::engine::Runtime;
use super::guest::GuestLog;
use super::instance::{Instance, InstanceError};
use super::panic_message::hint;
use super::plugin::{LoadError, Plugin};
use super::v0_1;

/// A configured plugin.
pub struct WasmConsumer {
    runtime: Runtime,
    plugin: Arc<Plugin>,
    settings: Vec<(String, String)>,
    log: GuestLog,
    descriptor: Descriptor,
    /// None after a failure, until the next call.
    instance: Option<Instance>,
    /// What was saved or restored last: a new instance is restored from it.
    state: Option<Vec<u8>>,
}

/// Why a plugin does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its code failed.
    #[error("`{}` {}", .0.call, .0.reason)]
    Failed(ConsumerError),
    /// The system refuses the resources that an instance takes.
    #[error("cannot be instantiated")]
    System(#[source] anyhow::Error),
    /// It has other types than the contract.
    #[error(transparent)]
    Mistyped(LoadError),
    /// It does not take its settings; its own message.
    #[error("does not take its settings: {}{}", printable_line(.0), hint(.0))]
    Settings(String),
    /// What it says of itself breaks the contract.
    #[error("declares what the contract does not allow: {}", printable_line(.0))]
    Descriptor(String),
}

impl WasmConsumer {
    /// Instantiates and configures `plugin`. Its log lines carry `file` until its name is known.
    pub fn start(
        runtime: &Runtime,
        plugin: Arc<Plugin>,
        file: &str,
        settings: Vec<(String, String)>,
        log: GuestLog,
    ) -> Result<Self, StartError> {
        let (mut instance, descriptor) = configured(runtime, &plugin, file, &settings, &log)?;
        instance.rename(descriptor.name.as_str());
        Ok(Self {
            runtime: runtime.clone(),
            plugin,
            settings,
            log,
            descriptor,
            instance: Some(instance),
            state: None,
        })
    }

    /// What it was configured with.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// How long a call of it may take.
    pub fn call_limit(&self) -> Duration {
        self.runtime.limits().time
    }

    /// Makes a call on the instance, or on a new one if there is none. It runs in `block_in_place`, so that a slow
    /// guest delays no other task.
    fn call<T>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&mut Instance, &Descriptor) -> wasmtime::Result<T>,
    ) -> Result<T, ConsumerError> {
        block_in_place(|| {
            let mut instance = match self.instance.take() {
                Some(instance) => instance,
                None => self.new_instance(self.state.as_deref())?,
            };
            let value = call(&mut instance, &self.descriptor)
                .map_err(|error| failure(&self.runtime, name, &error))?;
            self.instance = Some(instance);
            Ok(value)
        })
    }

    /// Makes another instance, restored from `state`.
    fn new_instance(&self, state: Option<&[u8]>) -> Result<Instance, ConsumerError> {
        let name = self.descriptor.name.as_str();
        let (mut instance, descriptor) =
            configured(&self.runtime, &self.plugin, name, &self.settings, &self.log)
                .map_err(StartError::of_another)?;
        if descriptor != self.descriptor {
            let reason = "declared something else than before, from equal settings".to_owned();
            return Err(answered("configure", reason));
        }
        if let Some(state) = state {
            instance
                .call(|store, exports| exports.checkpoint()?.call_restore(store, state))
                .map_err(|error| failure(&self.runtime, "restore", &error))?
                .map_err(|refusal| answered("restore", refusal))?;
        }
        Ok(instance)
    }
}

impl Consumer for WasmConsumer {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn processes(&self) -> bool {
        self.plugin.processes()
    }

    fn keeps_state(&self) -> bool {
        self.plugin.keeps_state()
    }

    fn digest(&self) -> &str {
        self.plugin.digest()
    }

    fn memory(&self) -> u64 {
        self.instance.as_ref().map_or(0, |instance| instance.memory() as u64)
    }

    async fn process(&mut self, now: Timestamp, batch: &[Record]) -> Result<Processed, ConsumerError> {
        let processed = self.call("process", |instance, descriptor| {
            v0_1::with_records(batch, descriptor.fields, |records| {
                instance
                    .call(|store, exports| exports.processor()?.call_process(store, now.as_millis(), records))
            })
        })?;
        v0_1::processed(processed, batch.len(), &self.descriptor).map_err(|reason| {
            // An instance that breaks the contract may have a wrong state as well.
            self.instance = None;
            answered("process", reason)
        })
    }

    async fn format_metric(&mut self, metric: &Metric) -> Result<String, ConsumerError> {
        let metric = v0_1::metric(metric);
        self.call("format-metric", |instance, _| {
            instance.call(|store, exports| exports.consumer.call_format_metric(store, metric))
        })
    }

    fn measures(&self) -> bool {
        self.plugin.measures()
    }

    async fn measure(&mut self) -> Result<Measures, ConsumerError> {
        let measures = self.call("measure", |instance, _| {
            instance.call(|store, exports| exports.measures()?.call_measure(store))
        })?;
        Ok(v0_1::measures(measures))
    }

    async fn save(&mut self) -> Result<Vec<u8>, ConsumerError> {
        let state = self.call("save", |instance, _| {
            instance.call(|store, exports| exports.checkpoint()?.call_save(store))
        })?;
        self.state = Some(state.clone());
        Ok(state)
    }

    async fn restore(&mut self, state: Option<&[u8]>) -> Result<(), ConsumerError> {
        // The old instance is dropped even if there is no new one.
        self.instance = None;
        self.instance = Some(block_in_place(|| self.new_instance(state))?);
        self.state = state.map(<[u8]>::to_vec);
        Ok(())
    }
}

impl StartError {
    /// The error of a plugin that has been started before.
    fn of_another(self) -> ConsumerError {
        match self {
            Self::Failed(failure) => failure,
            Self::System(error) => answered("configure", format!("failed: {error:#}")),
            other => answered("configure", other.to_string()),
        }
    }
}

/// The error of a call that did not return.
fn failure(runtime: &Runtime, call: &'static str, error: &wasmtime::Error) -> ConsumerError {
    ConsumerError { call, reason: runtime.limits.explain(error), backtrace: backtrace(error) }
}

/// The error of a call that returned something unusable.
fn answered(call: &'static str, reason: String) -> ConsumerError {
    ConsumerError { call, reason, backtrace: None }
}

fn not_instantiated(runtime: &Runtime, error: wasmtime::Error) -> StartError {
    let failed = failure(runtime, "configure", &error);
    let error = anyhow::Error::from(error);
    if Refusal::behind(error.as_ref()).is_some() {
        StartError::System(error)
    } else {
        StartError::Failed(failed)
    }
}

fn configured(
    runtime: &Runtime,
    plugin: &Plugin,
    name: &str,
    settings: &[(String, String)],
    log: &GuestLog,
) -> Result<(Instance, Descriptor), StartError> {
    let failed = |error: wasmtime::Error| StartError::Failed(failure(runtime, "configure", &error));
    let mut instance =
        Instance::new(runtime, plugin, name, Arc::clone(log)).map_err(|error| match error {
            InstanceError::Failed(error) => not_instantiated(runtime, error),
            InstanceError::Mistyped { interface, function, error } => {
                StartError::Mistyped(LoadError::mistyped(interface, Some(function), &error))
            }
        })?;
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let descriptor = instance
        .call(|store, exports| exports.consumer.call_configure(store, &settings))
        .map_err(failed)?
        .map_err(StartError::Settings)?;
    let descriptor = v0_1::descriptor(descriptor).map_err(StartError::Descriptor)?;
    Ok((instance, descriptor))
}
