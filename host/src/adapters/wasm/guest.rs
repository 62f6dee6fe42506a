//! The host's side of an instance: what it may use, and where its lines go.

use std::sync::Arc;

use bytesize::ByteSize;
use loghost_core::application::Level;
use wasmtime::ResourceLimiter;

use super::limits::Limiter;

/// Where the lines go that a plugin writes through the `log` import: its name, a level, the text.
pub(crate) type GuestLog = Arc<dyn Fn(&str, Level, &str) + Send + Sync>;

/// The host's side of a store.
pub(super) struct Guest {
    limiter: Limiter,
    name: String,
    log: GuestLog,
}

impl Guest {
    /// A guest that may use `memory`, and whose lines go to `log`, marked with `name`.
    pub(super) fn new(memory: ByteSize, name: &str, log: GuestLog) -> Self {
        Self { limiter: Limiter::new(memory), name: name.to_owned(), log }
    }

    /// What bounds its memory.
    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limiter
    }

    /// Marks its lines with `name` from now on.
    pub(super) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Passes on a line that it writes.
    pub(super) fn write_log(&self, level: Level, message: &str) {
        (self.log)(&self.name, level, message);
    }
}
