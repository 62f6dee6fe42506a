//! loghost runs log consumers on `RabbitMQ`: WebAssembly components that say which severities they want
//! and how their metric is written.
//!
//! In reading order: [`cli`] turns arguments into plain options; [`app`] builds what a command needs and
//! owns its tasks; `adapters` are the technologies, `disk` is what those share that keep something, and `system`
//! what the operating system refuses; the rules are in the crate `loghost-core`. Imports go that way and never back.

mod adapters;
mod app;
mod cli;
mod disk;
#[doc(hidden)]
pub mod parts;
mod system;

pub use cli::main;
