//! The kinds of broker, and which of them a test runs on.

use crate::support::rabbitmq::{QUORUM_VHOST, Version};

/// The kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    /// RabbitMQ 3.10.
    RabbitMq,
    /// RabbitMQ 4.
    RabbitMq4,
    /// RabbitMQ 4, where hosts are told to declare quorum queues.
    Quorum,
    /// RabbitMQ 4, on a virtual host whose queues are quorum queues unless they are declared otherwise.
    QuorumVhost,
    /// RabbitMQ 4, where hosts and producers are told to use streams, through the stream protocol; the queues of consumers are
    /// quorum queues then.
    Stream,
    /// RabbitMQ 3.10, where hosts are told to declare quorum queues.
    Quorum3,
    /// RabbitMQ 3.10, where hosts and producers are told to use streams, through AMQP 0-9-1: nothing listens for the stream
    /// protocol.
    Stream3,
}

impl Kind {
    /// For tests of what is counted, and of what becomes of the rest.
    pub(crate) const ALL: [Self; 8] = [
        Self::Embedded,
        Self::RabbitMq,
        Self::RabbitMq4,
        Self::Quorum,
        Self::QuorumVhost,
        Self::Stream,
        Self::Quorum3,
        Self::Stream3,
    ];

    /// Without those that add to the others no more than the version: for all other tests.
    pub(crate) const MOST: [Self; 6] =
        [Self::Embedded, Self::RabbitMq, Self::RabbitMq4, Self::Quorum, Self::QuorumVhost, Self::Stream];

    /// Those whose hosts take their logs out of queues, for tests that look into one, or publish what a stream does not take.
    pub(crate) const QUEUES: [Self; 5] =
        [Self::Embedded, Self::RabbitMq, Self::RabbitMq4, Self::Quorum, Self::QuorumVhost];

    /// Fewer kinds of RabbitMQ, for tests that start nodes of their own, which takes seconds.
    pub(crate) const RABBITMQ: [Self; 3] = [Self::RabbitMq, Self::RabbitMq4, Self::Quorum];

    /// Those that the long tests run on.
    pub(crate) const LONG: [Self; 3] = [Self::RabbitMq, Self::Quorum, Self::Stream];

    /// What the names of its tests begin with.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::RabbitMq => "rabbitmq",
            Self::RabbitMq4 => "rabbitmq4",
            Self::Quorum => "quorum",
            Self::QuorumVhost => "quorum_vhost",
            Self::Stream => "stream",
            Self::Quorum3 => "quorum3",
            Self::Stream3 => "stream3",
        }
    }

    /// Which RabbitMQ it is, if it is one.
    pub(crate) fn version(self) -> Option<Version> {
        match self {
            Self::Embedded => None,
            Self::RabbitMq | Self::Quorum3 | Self::Stream3 => Some(Version::V3),
            Self::RabbitMq4 | Self::Quorum | Self::QuorumVhost | Self::Stream => Some(Version::V4),
        }
    }

    /// The port where it speaks the stream protocol, if hosts are to use that.
    pub(super) fn streams(self, port: Option<u16>) -> Option<u16> {
        port.filter(|_| self == Self::Stream)
    }

    /// The URL of its virtual host, from the URL of the default one.
    pub(super) fn vhost_of(self, url: String) -> String {
        if self == Self::QuorumVhost { url.replace("%2f", QUORUM_VHOST) } else { url }
    }
}
