//! Composition: what commands have in common that build consumers and connections, watch over them, and end.

pub(crate) mod configured;
pub(crate) mod connections;
pub(crate) mod consumer_builder;
pub(crate) mod consumer_options;
pub(crate) mod embedded;
pub(crate) mod failure;
pub(crate) mod guest_lines;
pub(crate) mod idle;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod live_logs;
pub(crate) mod loading;
pub(crate) mod look;
pub(crate) mod observers;
pub(crate) mod past;
pub(crate) mod plugins;
pub(crate) mod reload;
pub(crate) mod rereading;
pub(crate) mod scenario_consumers;
pub(crate) mod scenario_runner;
pub(crate) mod settings;
pub(crate) mod starter;
pub(crate) mod state;
pub(crate) mod suggestion;
pub(crate) mod supervise;
pub(crate) mod target;
