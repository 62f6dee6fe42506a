//! Exchanges, queues and bindings: declared, looked at, and checked while they are in use.
//!
//! In reading order: `declare`; `queues`, `queue_plan`, `queue_difference` and `declare_queue`, with `delivery_limit` and
//! `known_queues`; `bindings`; `streams` with `retention`; `look` for what exists, `inspection` for what AMQP does not tell, `check`; `delete`. All use
//! `channel`, `error` and `event`.

pub(crate) mod bindings;
pub(crate) mod bound_exchanges;
pub(crate) mod channel;
pub(crate) mod check;
pub(crate) mod declare;
pub(crate) mod declare_queue;
pub(crate) mod delete;
pub(crate) mod delivery_limit;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod inspection;
pub(crate) mod known_queues;
pub(crate) mod lengths;
pub(crate) mod look;
pub(crate) mod queue_difference;
pub(crate) mod queue_plan;
pub(crate) mod queues;
pub(crate) mod recorded_bindings;
mod retention;
pub(crate) mod streams;
