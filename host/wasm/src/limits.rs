//! What one instance may use, and the errors that say which of it was exceeded.

use std::time::Duration;

use bytesize::ByteSize;
use wasmtime::{ResourceLimiter, Trap};

use super::panic_message::PanicMessage;

/// The bounds of every instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory, all memories together.
    pub memory: ByteSize,
    /// The time that one call may take.
    pub time: Duration,
    /// Bytes of stack. One for all plugins of a host: it belongs to the engine.
    pub stack: ByteSize,
    /// Bytes that one call may hand to the host.
    pub output: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(64),
            time: Duration::from_secs(1),
            stack: ByteSize::kib(512),
            output: ByteSize::mib(1),
        }
    }
}

impl Limits {
    /// What went wrong in a call, for the operator.
    pub(super) fn explain(&self, error: &wasmtime::Error) -> String {
        if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
            return exceeded.to_string();
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                format!("took longer than {} (--time-limit)", humantime::format_duration(self.time))
            }
            Some(Trap::StackOverflow) => format!("used more than {} of stack (--max-stack)", self.stack),
            Some(Trap::UnreachableCodeReached) => error
                .downcast_ref::<PanicMessage>()
                .map_or_else(|| "panicked (trap: unreachable)".to_owned(), PanicMessage::to_string),
            Some(trap) => format!("trapped: {trap}"),
            // wasmtime does not export the type of this error.
            None if error.root_cause().to_string().contains("fuel allocated for hostcalls") => {
                format!("handed more than {} to the host in one call (--max-output)", self.output)
            }
            None => format!("failed: {}", error.root_cause()),
        }
    }
}

/// Tracks and bounds the memory of one store.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: ByteSize,
    used: usize,
}

/// An instance that asked for more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("used more than {0} of memory (--max-memory)")]
struct MemoryExceeded(ByteSize);

/// The most elements of one table; a function pointer each, so far more than any program has.
const TABLE_ELEMENTS: usize = 100_000;

impl Limiter {
    pub(super) fn new(limit: ByteSize) -> Self {
        Self { limit, used: 0 }
    }

    /// Bytes of linear memory that the store has, all memories together.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used as u64 > self.limit.0 {
            // An error, not a refusal: a guest whose allocation fails aborts without a message.
            return Err(MemoryExceeded(self.limit).into());
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        100
    }

    fn tables(&self) -> usize {
        100
    }

    fn memories(&self) -> usize {
        100
    }
}
