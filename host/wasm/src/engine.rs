//! The engine that all plugins of a host share, and the thread that ends calls that take too long.

use std::thread;
use std::time::Duration;

use loghost_system::{self as system, NoThread};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

use super::cache::Cache;
use super::guest::Guest;
use super::limits::Limits;
use super::v0_1;

/// The number of epochs in the time limit of a call. More are more exact, and each wakes even an idle host.
const EPOCHS: u32 = 20;
const SHORTEST_EPOCH: Duration = Duration::from_millis(1);

/// What it takes to load and run plugins: one for each host.
#[derive(Clone)]
pub struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Linker<Guest>,
    pub(super) limits: Limits,
    cache: Option<Cache>,
}

/// A runtime that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// wasmtime does not take the configuration.
    #[error("cannot set up the WebAssembly engine")]
    Engine(#[source] anyhow::Error),
    /// The system gives no thread.
    #[error("cannot start the thread that ends calls which take too long")]
    Thread(#[from] NoThread),
}

impl Runtime {
    /// What its instances are bound by.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sets up an engine whose instances are bound by `limits`.
    pub fn new(limits: Limits) -> Result<Self, RuntimeError> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.max_wasm_stack(usize::try_from(limits.stack.0).unwrap_or(usize::MAX));
        let engine = Engine::new(&config).map_err(|e| RuntimeError::Engine(e.into()))?;
        let linker = v0_1::linker(&engine).map_err(|e| RuntimeError::Engine(e.into()))?;
        tick(&engine, epoch(limits.time))?;
        Ok(Self { engine, linker, limits, cache: Cache::open() })
    }

    /// Compiles a component, unless that was done before.
    pub(super) fn compile(&self, bytes: &[u8]) -> wasmtime::Result<Component> {
        match &self.cache {
            Some(cache) => cache.compile(&self.engine, bytes),
            None => Component::from_binary(&self.engine, bytes),
        }
    }

    /// The number of epochs in the time limit, and one more because the current epoch has already begun.
    pub(super) fn deadline(&self) -> u64 {
        let epochs = self.limits.time.as_nanos().div_ceil(epoch(self.limits.time).as_nanos());
        u64::try_from(epochs).unwrap_or(u64::MAX - 1) + 1
    }
}

fn epoch(limit: Duration) -> Duration {
    (limit / EPOCHS).max(SHORTEST_EPOCH)
}

/// Increments the engine's epoch on a thread of its own, which a guest in an endless loop cannot block. The thread ends
/// when the engine is dropped.
fn tick(engine: &Engine, epoch: Duration) -> Result<(), NoThread> {
    let engine = engine.weak();
    system::spawn("epochs", move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(epoch);
        }
    })?;
    Ok(())
}
