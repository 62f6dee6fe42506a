//! Exchanges, queues and bindings: declared, found as they are, and made sure of while they are in use.
//!
//! In reading order: `declare`, `queues` with `delivery_limit` and `known_queues`, `bindings`, `inspection` for what AMQP does
//! not tell, `check`.

pub(crate) mod bindings;
pub(crate) mod check;
pub(crate) mod declare;
pub(crate) mod delivery_limit;
pub(crate) mod inspection;
pub(crate) mod known_queues;
pub(crate) mod queues;
