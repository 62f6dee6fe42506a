//! Speaks AMQP 0-9-1 to a broker, with lapin: `RabbitMQ`, or the embedded one.
//!
//! Knows exchanges, queues, bindings and properties; knows nothing of plugins or terminals. In reading
//! order: where the broker is, connecting, what things are called there, declaring them, what a log
//! looks like on the wire, publishing, consuming, dead letters.

mod address;
mod connection;
mod dead_letters;
mod names;
mod sink;
mod source;
mod topology;
mod wire;

pub(crate) use address::Address;
pub(crate) use connection::Connection;
pub(crate) use names::{Names, Prefix};
pub(crate) use sink::AmqpSink;
pub(crate) use source::{AmqpSource, SourceOptions, declare};
pub(crate) use topology::{QueueKind, TopologyError, declare_exchanges, lend_exchanges};
