//! Composition: what commands have in common that build consumers and connections, watch over them, and end.

pub(crate) mod configured;
pub(crate) mod connections;
pub(crate) mod consumer_builder;
pub(crate) mod consumer_options;
pub(crate) mod dead_letters;
pub(crate) mod depths;
pub(crate) mod embedded;
pub(crate) mod failure;
pub(crate) mod limits;
pub(crate) mod observers;
pub(crate) mod plugins;
pub(crate) mod reading;
pub(crate) mod running;
pub(crate) mod running_host;
pub(crate) mod scenario;
pub(crate) mod state;
pub(crate) mod target;
