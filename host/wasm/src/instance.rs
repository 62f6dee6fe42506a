//! One instance of a plugin: its store, its exports, and a deadline for each call.

use wasmtime::component::{self, ComponentNamedList, Lift, Lower};
use wasmtime::{Store, Trap};

use super::engine::Runtime;
use super::guest::{Guest, GuestLog};
use super::plugin::Plugin;
use super::v0_1::{checkpoint, consumer, interface, measures, processor, types};

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
    exports: Exports,
}

/// What can be called.
pub(super) struct Exports {
    pub(super) consumer: consumer::Guest,
    processor: Option<processor::Guest>,
    checkpoint: Option<checkpoint::Guest>,
    measures: Option<measures::Guest>,
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
        let instantiated = plugin.pre.instantiate(&mut store);
        let instance = concluded(&mut store, instantiated).map_err(InstanceError::Failed)?;
        let exports = Exports::load(plugin, &mut store, &instance)?;
        Ok(Self { store, deadline, exports })
    }

    /// Makes one call, which may take the whole time limit.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Store<Guest>, &Exports) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        self.store.set_epoch_deadline(self.deadline);
        let result = call(&mut self.store, &self.exports);
        concluded(&mut self.store, result)
    }

    /// Bytes of memory that it has.
    pub(super) fn memory(&self) -> usize {
        self.store.data().memory()
    }

    /// Uses `name` for the plugin's lines from now on.
    pub(super) fn rename(&mut self, name: &str) {
        self.store.data_mut().rename(name);
    }
}

/// The result of a call. If it panicked, the last line that the guest wrote becomes the message of the error.
fn concluded<T>(store: &mut Store<Guest>, result: wasmtime::Result<T>) -> wasmtime::Result<T> {
    let guest = store.data_mut();
    let is_panic = |error: &wasmtime::Error| error.downcast_ref() == Some(&Trap::UnreachableCodeReached);
    match result {
        Err(error) if is_panic(&error) => Err(match guest.take_panic_message() {
            Some(words) => error.context(words),
            None => error,
        }),
        result => {
            guest.flush_pending_error();
            result
        }
    }
}

impl Exports {
    fn load(
        plugin: &Plugin,
        store: &mut Store<Guest>,
        instance: &component::Instance,
    ) -> Result<Self, InstanceError> {
        let consumer = plugin.consumer.load(&mut *store, instance).map_err(|error| {
            let configures = has::<(&[(&str, &str)],), (Result<types::Descriptor, String>,)>(
                store,
                instance,
                "consumer",
                "configure",
            );
            let function = if configures { "format-metric" } else { "configure" };
            InstanceError::Mistyped { interface: "consumer", function, error }
        })?;
        let processor = plugin.processor.as_ref().map(|it| it.load(&mut *store, instance)).transpose();
        let processor = processor.map_err(|error| InstanceError::Mistyped {
            interface: "processor",
            function: "process",
            error,
        })?;
        let checkpoint = plugin.checkpoint.as_ref().map(|it| it.load(&mut *store, instance)).transpose();
        let checkpoint = checkpoint.map_err(|error| {
            let saves = has::<(), (Vec<u8>,)>(store, instance, "checkpoint", "save");
            let function = if saves { "restore" } else { "save" };
            InstanceError::Mistyped { interface: "checkpoint", function, error }
        })?;
        let measures = plugin.measures.as_ref().map(|it| it.load(&mut *store, instance)).transpose();
        let measures = measures.map_err(|error| InstanceError::Mistyped {
            interface: "measures",
            function: "measure",
            error,
        })?;
        Ok(Self { consumer, processor, checkpoint, measures })
    }

    /// The interface `processor`; an error if the plugin does not export it.
    pub(super) fn processor(&self) -> wasmtime::Result<&processor::Guest> {
        self.processor.as_ref().ok_or_else(|| wasmtime::format_err!("the plugin exports no processor"))
    }

    /// The interface `checkpoint`, likewise.
    pub(super) fn checkpoint(&self) -> wasmtime::Result<&checkpoint::Guest> {
        self.checkpoint.as_ref().ok_or_else(|| wasmtime::format_err!("the plugin exports no checkpoint"))
    }

    /// The interface `measures`, likewise.
    pub(super) fn measures(&self) -> wasmtime::Result<&measures::Guest> {
        self.measures.as_ref().ok_or_else(|| wasmtime::format_err!("the plugin exports no measures"))
    }
}

/// Whether a function has these types: those of the contract. An error of loading does not say which has not.
fn has<Params, Results>(
    store: &mut Store<Guest>,
    instance: &component::Instance,
    name: &str,
    function: &str,
) -> bool
where
    Params: ComponentNamedList + Lower,
    Results: ComponentNamedList + Lift,
{
    let within = instance.get_export_index(&mut *store, None, &interface(name));
    let found = within.and_then(|within| instance.get_export_index(&mut *store, Some(&within), function));
    found.is_some_and(|found| instance.get_typed_func::<Params, Results>(&mut *store, found).is_ok())
}
