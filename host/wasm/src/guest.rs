//! The host's data for an instance: its memory limit, and where its log lines go.

use std::sync::Arc;

use bytesize::ByteSize;
use loghost_core::application::Level;
use wasmtime::ResourceLimiter;

use super::limits::Limiter;
use super::panic_message::PanicMessage;

/// Called for each line that a plugin writes through the `log` import: its name, the level, the text.
pub type GuestLog = Arc<dyn Fn(&str, Level, &str) + Send + Sync>;

/// The data of a store.
pub(super) struct Guest {
    limiter: Limiter,
    name: String,
    log: GuestLog,
    /// The last line of level error, until another line comes or the call ends. If the call traps, it becomes the
    /// message of the error instead of a log line.
    pending_error: Option<String>,
}

impl Guest {
    /// For an instance that may use `memory`, and whose lines go to `log` with `name`.
    pub(super) fn new(memory: ByteSize, name: &str, log: GuestLog) -> Self {
        Self { limiter: Limiter::new(memory), name: name.to_owned(), log, pending_error: None }
    }

    /// The memory limit.
    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limiter
    }

    /// Bytes of memory that it has.
    pub(super) fn memory(&self) -> usize {
        self.limiter.used()
    }

    /// Uses `name` for its lines from now on.
    pub(super) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Passes on a line: at once, or, at level error, at the next line or the end of the call.
    pub(super) fn write_log(&mut self, level: Level, message: String) {
        self.flush_pending_error();
        if level == Level::Error {
            self.pending_error = Some(message);
        } else {
            (self.log)(&self.name, level, &message);
        }
    }

    /// Passes on the pending line.
    pub(super) fn flush_pending_error(&mut self) {
        if let Some(message) = self.pending_error.take() {
            (self.log)(&self.name, Level::Error, &message);
        }
    }

    /// Takes the pending line, which is then not passed on.
    pub(super) fn take_panic_message(&mut self) -> Option<PanicMessage> {
        self.pending_error.take().map(|line| PanicMessage::new(&line))
    }
}
