//! What all connections of a broker share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{memory::Memory, options::Options, state::BrokerState};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) memory: Arc<Memory>,
    state: Mutex<BrokerState>,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        let memory = Arc::new(Memory::new(options.memory_high_watermark));
        Self { options, state: Mutex::new(BrokerState::new(Arc::clone(&memory))), memory }
    }

    /// Locks the state for one call; never across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, BrokerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
