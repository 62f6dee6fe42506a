//! The host's side of an instance: what it may use, and where its lines go.

use std::sync::Arc;

use bytesize::ByteSize;
use loghost_core::application::Level;
use wasmtime::ResourceLimiter;

use super::last_words::LastWords;
use super::limits::Limiter;

/// Where the lines go that a plugin writes through the `log` import: its name, a level, the text.
pub type GuestLog = Arc<dyn Fn(&str, Level, &str) + Send + Sync>;

/// The host's side of a store.
pub(super) struct Guest {
    limiter: Limiter,
    name: String,
    log: GuestLog,
    /// A line of level error, until there is another one or the call has ended: of a call that traps it may say why, and
    /// then it is said there.
    held: Option<String>,
}

impl Guest {
    /// A guest that may use `memory`, and whose lines go to `log`, marked with `name`.
    pub(super) fn new(memory: ByteSize, name: &str, log: GuestLog) -> Self {
        Self { limiter: Limiter::new(memory), name: name.to_owned(), log, held: None }
    }

    /// What bounds its memory.
    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limiter
    }

    /// Marks its lines with `name` from now on.
    pub(super) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Passes on a line that it writes, at the latest when the call ends.
    pub(super) fn write_log(&mut self, level: Level, message: String) {
        self.release();
        if level == Level::Error {
            self.held = Some(message);
        } else {
            (self.log)(&self.name, level, &message);
        }
    }

    /// Passes on the line that is held.
    pub(super) fn release(&mut self) {
        if let Some(message) = self.held.take() {
            (self.log)(&self.name, Level::Error, &message);
        }
    }

    /// The line that is held, which is not passed on.
    pub(super) fn last_words(&mut self) -> Option<LastWords> {
        self.held.take().map(|line| LastWords::new(&line))
    }
}
