//! Speaks to `RabbitMQ`, or the embedded broker: AMQP 0-9-1 with lapin, and the management API.
//!
//! Knows exchanges, queues, bindings and properties; knows nothing of plugins or terminals. In reading order:
//! [`connection`] is a connection that is made again, [`message`] what a log looks like, [`topology`] what is declared,
//! [`consume`], [`publish`] and [`dead_letters`] what is done with it, and [`management`] what AMQP does not tell.

mod connection;
mod consume;
mod dead_letters;
mod management;
mod message;
mod publish;
mod topology;

pub use connection::address::Address;
pub use connection::frame_filter::{FrameFilter, SkipBodies};
pub use connection::open::{ConnectError, Connection, Obstacle};
pub use connection::reconnect::{ReconnectingConnection, Retry};
pub use consume::depth::QueueDepth;
pub use consume::source::{AmqpSource, SourceOptions};
pub use consume::source_factory::{AmqpSourceFactory, Declaration};
pub use dead_letters::dead_letter::{DeadLetter, DeadLetterHeaders};
pub use dead_letters::queue::{DeadQueue, DeadQueueError, Left, Purpose};
pub use dead_letters::replay::Replay;
pub use dead_letters::writer::DeadLetterWriter;
pub use management::api::{ManagementUrl, ManagementUrlError};
pub use management::inspector::Inspector;
pub use management::of_broker::BrokerApi;
pub use message::names::{Names, Prefix};
pub use message::record::{Decode, properties, record};
pub use publish::sink::AmqpSink;
pub use topology::check::CheckOptions;
pub use topology::declare::{Exchanges, TopologyError, delete_exchanges, delete_queues, lend_exchanges};
pub use topology::delivery_limit::{DeliveryLimit, LimitOrigin, Overrun, warning};
pub use topology::inspection::{Binding, Inspect, Inspection, Policy, Rules};
pub use topology::known_queues::KnownQueue;
pub use topology::queues::{Lifetime, QueueOptions, QueueType};
