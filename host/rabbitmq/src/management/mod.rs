//! `RabbitMQ`'s management API, which tells what AMQP does not: `url` says where it is, `api` sends the requests, `queue` is
//! what it says of a queue, `exchange` of an exchange, `of_broker` finds the API of a connection's broker, `inspector` asks it while a consumer runs.

pub(crate) mod api;
pub(crate) mod exchange;
pub(crate) mod inspector;
pub(crate) mod of_broker;
pub(crate) mod queue;
pub(crate) mod queue_figures;
pub(crate) mod url;
