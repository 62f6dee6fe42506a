//! Speaks AMQP 0-9-1 to a broker, with lapin: `RabbitMQ`, or the embedded one.
//!
//! Knows exchanges, queues, bindings and properties; knows nothing of plugins or terminals. In reading
//! order: where the broker is, TLS, connecting, what to do when it refuses, reading from it, what is made readable, connecting again, what things are called
//! there, declaring them, binding them, what a log and its values look like on the wire, publishing, becoming the one who
//! consumes, consuming, making sure that logs still arrive, making dead letters, looking after them, and sending them back.

mod activation;
mod address;
mod advice;
mod bindings;
mod connection;
mod courier;
mod dead_letters;
mod dead_queue;
mod delivery_limit;
mod depth;
#[cfg(test)]
mod fuzz;
mod greeting;
mod handshake;
mod headers;
mod held_back;
mod inspection;
mod intake;
mod kept;
mod known_queues;
mod letter;
mod link;
mod names;
mod patience;
mod queues;
mod refusals;
mod replay;
mod sieve;
mod sink;
mod socket;
mod source;
mod tame;
mod tls;
mod topology;
mod topology_check;
mod values;
mod wire;

pub(crate) use address::Address;
pub(crate) use connection::{ConnectError, Connection, Obstacle};
pub(crate) use dead_queue::{DeadQueue, DeadQueueError, Left, Purpose};
pub(crate) use delivery_limit::{DeliveryLimit, LimitOrigin, Overrun, warning};
pub(crate) use depth::QueueDepth;
pub(crate) use inspection::{Binding, Inspect, Inspection, Policy, Rules};
pub(crate) use intake::{AmqpIntake, Declaration};
pub(crate) use known_queues::KnownQueue;
pub(crate) use letter::{Fate, Letter};
pub(crate) use link::{Link, Retry};
pub(crate) use names::{Names, Prefix};
pub(crate) use queues::{Lifetime, QueueOptions, QueueType};
pub(crate) use replay::Replay;
pub(crate) use sieve::{Bodiless, Sieve};
pub(crate) use sink::AmqpSink;
pub(crate) use source::{AmqpSource, SourceOptions};
pub(crate) use topology::{Exchanges, TopologyError, delete_exchanges, delete_queues, lend_exchanges};
pub(crate) use topology_check::CheckOptions;
pub(crate) use wire::{Decode, properties, record};
