//! loghost runs log consumers on `RabbitMQ`: WebAssembly components that say which severities they want
//! and how their metric is written.
//!
//! In reading order: [`cli`] turns arguments into plain options; [`app`] builds what a command needs and
//! owns its tasks; `adapters` are what those need of this process and its files. The rules are in the crate `loghost-core`, the
//! technologies in `loghost-rabbitmq`, `loghost-wasm` and `loghost-store`. Imports go that way and never back.

mod adapters;
mod app;
mod cli;

pub use cli::main;
