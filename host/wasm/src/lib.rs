//! Runs plugins: WebAssembly components, on wasmtime.
//!
//! Knows the contract (`wit/`) and the use cases' `Consumer`; knows nothing of brokers or terminals.
//! In reading order: the engine that all share, the cache of compiled code, loading one component,
//! running its instance, limits.

mod backtrace;
mod cache;
mod consumer;
mod engine;
mod guest;
mod instance;
mod limits;
mod panic_message;
mod plugin;
#[cfg(test)]
mod tests;
mod v0_1;

pub use consumer::{StartError, WasmConsumer};
pub use engine::Runtime;
pub use guest::GuestLog;
pub use limits::Limits;
pub use plugin::{LoadError, Plugin, sha256};
