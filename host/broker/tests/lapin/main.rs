//! The broker with the client lapin.

mod delivery;
mod publishing;
mod queues;
mod refusals;
mod server;
#[path = "../support/mod.rs"]
mod support;
