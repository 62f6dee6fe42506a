//! loghost runs log consumers on `RabbitMQ`: WebAssembly components that say which severities they want
//! and how their metric is written.
//!
//! In reading order: [`cli`] turns arguments into plain options; [`commands`] are the use cases, which [`compose`] builds
//! consumers for, and watches over; [`ui`] is what is read, [`files`] and [`toolchain`] what is on disk, [`platform`] what the
//! operating system gives. The rules are in the crate `loghost-core`, each technology in a crate of its own:
//! `host/ARCHITECTURE.md` has them.

mod cli;
mod commands;
mod compose;
mod files;
mod platform;
mod toolchain;
mod ui;

pub use cli::main;
