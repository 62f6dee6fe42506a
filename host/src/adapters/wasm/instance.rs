//! One instance of a plugin: its store, its exports, and a deadline for each call.

use wasmtime::Store;

use super::engine::Runtime;
use super::guest::{Guest, GuestLog};
use super::plugin::Plugin;
use super::v0_1::{consumer, interface, processor, types};

/// An instance that cannot be made.
#[derive(Debug)]
pub(super) enum InstanceError {
    /// Its start failed.
    Failed(wasmtime::Error),
    /// One of its functions has other types than the contract.
    Mistyped { interface: &'static str, function: &'static str, error: wasmtime::Error },
}

/// A live instance. After an error of any call it must be dropped.
pub(super) struct Instance {
    store: Store<Guest>,
    deadline: u64,
    consumer: consumer::Guest,
    processor: Option<processor::Guest>,
}

impl Instance {
    /// Instantiates `plugin`, whose lines are marked with `name`.
    pub(super) fn new(
        runtime: &Runtime,
        plugin: &Plugin,
        name: &str,
        log: GuestLog,
    ) -> Result<Self, InstanceError> {
        let guest = Guest::new(runtime.limits.memory, name, log);
        let mut store = Store::new(&runtime.engine, guest);
        store.limiter(Guest::limiter);
        store.set_hostcall_fuel(usize::try_from(runtime.limits.output.0).unwrap_or(usize::MAX));
        let deadline = runtime.deadline();
        store.set_epoch_deadline(deadline);
        let instance = plugin.pre.instantiate(&mut store).map_err(InstanceError::Failed)?;
        let consumer = plugin.consumer.load(&mut store, &instance).map_err(|error| {
            let function = if configures(&mut store, &instance) { "format-metric" } else { "configure" };
            InstanceError::Mistyped { interface: "consumer", function, error }
        })?;
        let processor =
            plugin.processor.as_ref().map(|indices| indices.load(&mut store, &instance)).transpose();
        let processor = processor.map_err(|error| InstanceError::Mistyped {
            interface: "processor",
            function: "process",
            error,
        })?;
        Ok(Self { store, deadline, consumer, processor })
    }

    /// Makes one call, with the whole time limit before it.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Store<Guest>, &consumer::Guest, Option<&processor::Guest>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        self.store.set_epoch_deadline(self.deadline);
        call(&mut self.store, &self.consumer, self.processor.as_ref())
    }

    /// Marks the plugin's lines with `name` from now on.
    pub(super) fn rename(&mut self, name: &str) {
        self.store.data_mut().rename(name);
    }
}

/// Whether `configure` has the types of the contract.
fn configures(store: &mut Store<Guest>, instance: &wasmtime::component::Instance) -> bool {
    let consumer = instance.get_export_index(&mut *store, None, &interface("consumer"));
    let configure =
        consumer.and_then(|consumer| instance.get_export_index(&mut *store, Some(&consumer), "configure"));
    configure.is_some_and(|configure| {
        instance
            .get_typed_func::<(&[(&str, &str)],), (Result<types::Descriptor, String>,)>(
                &mut *store,
                configure,
            )
            .is_ok()
    })
}
