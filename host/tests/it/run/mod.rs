//! `loghost run` and what it counts: how it starts and ends, what it shows on a terminal and over HTTP, its state, its report, hosts
//! that stand by, and streams beside queues.

pub(crate) mod beside;
pub(crate) mod bind;
pub(crate) mod bindings;
pub(crate) mod bound_again;
pub(crate) mod bound_formats;
pub(crate) mod bound_hostile;
pub(crate) mod bound_streams;
pub(crate) mod collector;
pub(crate) mod command;
pub(crate) mod configured;
pub(crate) mod damaged_chunks;
pub(crate) mod drain;
pub(crate) mod hangup;
pub(crate) mod idle;
pub(crate) mod job;
pub(crate) mod listen;
pub(crate) mod reconfigured;
pub(crate) mod report;
pub(crate) mod restart;
pub(crate) mod rolling_upgrade;
pub(crate) mod service;
pub(crate) mod standby;
pub(crate) mod state;
pub(crate) mod stream_begin;
pub(crate) mod stream_protocol;
pub(crate) mod stream_restarts;
pub(crate) mod stream_retention;
pub(crate) mod stream_stalls;
pub(crate) mod stream_trouble;
pub(crate) mod streams;
pub(crate) mod telemetry;
pub(crate) mod view;
