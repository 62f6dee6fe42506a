//! Speaks to `RabbitMQ`, or the embedded broker: AMQP 0-9-1 with lapin, the stream protocol, and the management API; and
//! AMQP 1.0, for one message that cannot be had otherwise ([`amqp10`]).
//!
//! Knows exchanges, queues, bindings and properties; knows nothing of plugins or terminals. In reading order:
//! [`connection`] is a connection that is made again, [`message`] what a log looks like, [`topology`] what is declared,
//! [`consume`], [`publish`] and [`dead_letters`] what is done with it, [`stream`] a connection in the stream protocol, and
//! [`management`] what AMQP does not tell.

mod amqp10;
mod connection;
mod consume;
mod dead_letters;
mod management;
mod message;
mod publish;
mod stream;
mod topology;

pub use connection::address::Address;
pub use connection::error::{ConnectError, Obstacle};
pub use connection::frame_filter::FrameFilter;
pub use connection::open::Connection;
pub use connection::reconnect::{ReconnectingConnection, Retry};
pub use connection::skip_bodies::SkipBodies;
pub use connection::tls::TlsFileError;
pub use consume::depth::QueueDepth;
pub use consume::opened_source::OpenedSource;
pub use consume::samples::{Sample, SampleQueue};
pub use consume::source_factory::{AmqpSourceFactory, Declaration};
pub use consume::source_options::SourceOptions;
pub use dead_letters::dead_letter::{DeadLetter, DeadLetterHeaders};
pub use dead_letters::error::DeadQueueError;
pub use dead_letters::queue::{DeadQueue, Left, Purpose};
pub use dead_letters::replay::Replay;
pub use dead_letters::writer::{DeadLetterWriter, outcome};
pub use management::exchange::ManagedExchange;
pub use management::inspector::Inspector;
pub use management::of_broker::BrokerApi;
pub use management::queue_figures::QueueFigures;
pub use management::url::{ManagementUrl, ManagementUrlError};
pub use message::bind_rule::{BindRule, BindRuleError};
pub use message::bind_rules::{BindRules, Decoding};
pub use message::exchange_type::ExchangeType;
pub use message::found_logs::logs as found_logs;
pub use message::names::{Names, Prefix};
pub use message::original::Original;
pub use message::record::{Decode, properties, record};
pub use message::route_text::{RouteText, RouteTextError};
pub use publish::destination::Destination;
pub use publish::key_template::{KeyTemplate, KeyTemplateError};
pub use publish::sink::AmqpSink;
pub use stream::figures::StreamFigures;
pub use stream::options::{Begin, Retention, StoredPosition, StreamAddress, StreamOptions};
pub use stream::past::{PastOptions, PastStreams, Span};
pub use stream::protocol::code::ResponseCode;
pub use stream::protocol::connect_error::StreamConnectError;
pub use stream::protocol::connection::{StreamConnection, SubscribeOptions};
pub use stream::protocol::endpoint::{STREAM_PORTS, StreamEndpoint};
pub use stream::protocol::error::{Loss, ProtocolError, StreamError, Unsendable};
pub use stream::protocol::incoming::StreamDelivery;
pub use stream::protocol::metadata::{StreamMetadata, StreamNode};
pub use stream::protocol::offset::OffsetSpec;
pub use stream::protocol::statistics::StreamStatistics;
pub use stream::protocol::subscription::Subscription;
pub use stream::undeliverable::other_way;
pub use stream::way::StreamWay;
pub use topology::check::CheckOptions;
pub use topology::declare::{Exchanges, declare_temporary_exchange, declare_temporary_exchanges};
pub use topology::delete::{delete_exchanges, delete_queues, delete_streams};
pub use topology::delivery_limit::{DeliveryLimit, LimitOrigin, Overrun};
pub use topology::error::TopologyError;
pub use topology::event::{QueueBindings, TopologyEvent};
pub use topology::inspection::{Binding, Inspect, Inspection, Policy, Rules};
pub use topology::known_queues::KnownQueue;
pub use topology::lengths::queue_lengths;
pub use topology::look::{QueueState, present, queue_state};
pub use topology::queues::{Bound, Lifetime, QueueOptions, QueueType};
pub use topology::recorded_bindings::{BindingsOfRun, RecordBindings};
pub use topology::streams::provide_streams;
