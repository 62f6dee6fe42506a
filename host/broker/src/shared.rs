//! What all connections of a broker hold on to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{memory::Memory, options::Options, state::State};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) memory: Arc<Memory>,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        let memory = Arc::new(Memory::new(options.memory_high_watermark));
        Self { options, state: Mutex::new(State::new(Arc::clone(&memory))), memory }
    }

    /// For one call; never held while waiting.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
