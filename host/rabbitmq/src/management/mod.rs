//! `RabbitMQ`'s management API, which tells what AMQP does not: `api` speaks to it, `of_broker` finds the one of a connection's
//! broker, `inspector` asks it while a consumer runs.

pub(crate) mod api;
pub(crate) mod inspector;
pub(crate) mod of_broker;
