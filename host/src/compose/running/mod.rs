//! A run: its consumers, what may be asked of them, how they are loaded again and watched over, whom it is shown to.

pub(crate) mod consumer;
pub(crate) mod control;
pub(crate) mod idle;
pub(crate) mod leaps;
pub(crate) mod listen;
pub(crate) mod loops;
pub(crate) mod measure_kinds;
pub(crate) mod member;
pub(crate) mod reload;
pub(crate) mod replays;
pub(crate) mod rereading;
pub(crate) mod service;
pub(crate) mod starter;
pub(crate) mod supervise;
pub(crate) mod telemetry;
