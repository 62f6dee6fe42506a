//! A plugin as a `Consumer`: configures it, calls it, and starts it afresh after a failure.

use std::sync::Arc;

use loghost_core::application::{Consumer, ConsumerError};
use loghost_core::domain::{Descriptor, Metric, Processed, Record, Timestamp, printable_line};
use tokio::task::block_in_place;

use super::engine::Runtime;
use super::guest::GuestLog;
use super::instance::{Instance, InstanceError};
use super::plugin::{LoadError, Plugin};
use super::v0_1;

/// A configured plugin.
pub(crate) struct WasmConsumer {
    runtime: Runtime,
    plugin: Arc<Plugin>,
    settings: Vec<(String, String)>,
    log: GuestLog,
    descriptor: Descriptor,
    /// None after a failure, until the next call.
    instance: Option<Instance>,
}

/// Why a plugin does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Its code failed.
    #[error("`configure` {0}")]
    Failed(String),
    /// It has other types than the contract.
    #[error(transparent)]
    Mistyped(LoadError),
    /// It does not take its settings; its own words.
    #[error("does not take its settings: {}", printable_line(.0))]
    Settings(String),
    /// What it says of itself breaks the contract.
    #[error("declares what the contract does not allow: {}", printable_line(.0))]
    Descriptor(String),
}

impl WasmConsumer {
    /// Instantiates and configures `plugin`. `file` marks its lines until its name is known.
    pub(crate) fn start(
        runtime: &Runtime,
        plugin: Arc<Plugin>,
        file: &str,
        settings: Vec<(String, String)>,
        log: GuestLog,
    ) -> Result<Self, StartError> {
        let (mut instance, descriptor) = configured(runtime, &plugin, file, &settings, &log)?;
        instance.rename(descriptor.name.as_str());
        Ok(Self { runtime: runtime.clone(), plugin, settings, log, descriptor, instance: Some(instance) })
    }

    /// Makes a call on the live instance, or on a fresh one. The thread is given up for as long as it
    /// takes, so a guest that takes its whole time holds up no other task.
    fn call<T>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&mut Instance, &Descriptor) -> wasmtime::Result<T>,
    ) -> Result<T, ConsumerError> {
        block_in_place(|| {
            let mut instance = match self.instance.take() {
                Some(instance) => instance,
                None => self.restart()?,
            };
            match call(&mut instance, &self.descriptor) {
                Ok(value) => {
                    self.instance = Some(instance);
                    Ok(value)
                }
                Err(error) => Err(ConsumerError { call: name, reason: self.runtime.limits.explain(&error) }),
            }
        })
    }

    fn restart(&self) -> Result<Instance, ConsumerError> {
        let failed = |reason| ConsumerError { call: "configure", reason };
        let name = self.descriptor.name.as_str();
        let (instance, descriptor) = configured(&self.runtime, &self.plugin, name, &self.settings, &self.log)
            .map_err(|e| failed(e.to_string()))?;
        if descriptor != self.descriptor {
            return Err(failed("declared something else than before, from equal settings".to_owned()));
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

    async fn process(&mut self, now: Timestamp, batch: &[Record]) -> Result<Processed, ConsumerError> {
        let processed = self.call("process", |instance, descriptor| {
            v0_1::with_records(batch, descriptor.fields, |records| {
                instance.call(|store, _, processor| match processor {
                    Some(processor) => processor.call_process(store, now.as_millis(), records),
                    None => Err(wasmtime::format_err!("the plugin exports no processor")),
                })
            })
        })?;
        v0_1::processed(processed, batch.len(), &self.descriptor).map_err(|reason| {
            // What it answers cannot be trusted, so neither can what it keeps.
            self.instance = None;
            ConsumerError { call: "process", reason }
        })
    }

    async fn format_metric(&mut self, metric: &Metric) -> Result<String, ConsumerError> {
        let metric = v0_1::metric(metric);
        self.call("format-metric", |instance, _| {
            instance.call(|store, consumer, _| consumer.call_format_metric(store, metric))
        })
    }
}

fn configured(
    runtime: &Runtime,
    plugin: &Plugin,
    name: &str,
    settings: &[(String, String)],
    log: &GuestLog,
) -> Result<(Instance, Descriptor), StartError> {
    let explain = |error: wasmtime::Error| StartError::Failed(runtime.limits.explain(&error));
    let mut instance =
        Instance::new(runtime, plugin, name, Arc::clone(log)).map_err(|error| match error {
            InstanceError::Failed(error) => explain(error),
            InstanceError::Mistyped { interface, function, error } => {
                StartError::Mistyped(LoadError::mistyped(interface, Some(function), &error))
            }
        })?;
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let descriptor = instance
        .call(|store, consumer, _| consumer.call_configure(store, &settings))
        .map_err(explain)?
        .map_err(StartError::Settings)?;
    let descriptor = v0_1::descriptor(descriptor).map_err(StartError::Descriptor)?;
    Ok((instance, descriptor))
}
