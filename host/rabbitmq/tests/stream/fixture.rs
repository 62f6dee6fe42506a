//! The node of version 4 that most tests share, a stream of each, and how something is published to it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ConnectionProperties};
use loghost_rabbitmq::StreamEndpoint;
use loghost_rabbitmq_node::{Error, Node, Setup, Version, free_address};

use crate::support::{Skip, endpoint, soon};

/// A stream that no other test has.
pub(crate) struct TestStream {
    pub(crate) node: Arc<Node>,
    pub(crate) stream: String,
    channel: Channel,
    _connection: lapin::Connection,
}

static SHARED: Mutex<Option<Result<Arc<Node>, Skip>>> = Mutex::new(None);

/// A node, or why there is none; fails if it does not start.
pub(crate) fn start(version: Version, setup: &Setup<'_>) -> Result<Node, Skip> {
    started(version, Node::start(version, setup))
}

/// A cluster of nodes of version 4.
pub(crate) fn cluster(size: usize) -> Result<Vec<Node>, Skip> {
    let addresses: Vec<_> = (0..size).map(|_| free_address()).collect();
    started(Version::V4, loghost_rabbitmq_node::cluster(Version::V4, &addresses, &Setup::default()))
}

fn started<T>(version: Version, started: Result<T, Error>) -> Result<T, Skip> {
    let need = if version == Version::V3 { "rabbitmq" } else { "rabbitmq4" };
    match started {
        Ok(started) => Ok(started),
        Err(Error::Unavailable(reason)) => Err(Skip { need, reason }),
        Err(error) => panic!("{error}"),
    }
}

/// The node that tests share.
pub(crate) fn shared() -> Result<Arc<Node>, Skip> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.get_or_insert_with(|| start(Version::V4, &Setup::default()).map(Arc::new)).clone()
}

/// Ends the node that tests share.
pub(crate) fn stop() {
    drop(SHARED.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Where a node listens for the stream protocol.
pub(crate) fn endpoint_of(node: &Node) -> StreamEndpoint {
    endpoint(&node.url(), &node.address().to_string(), node.stream_port().expect("a port for streams"))
}

impl TestStream {
    /// A stream on the node that tests share.
    pub(crate) async fn new() -> Result<Self, Skip> {
        Ok(Self::on(shared()?).await)
    }

    /// A stream on a node.
    pub(crate) async fn on(node: Arc<Node>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let stream = format!("stream-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let url = node.url();
        let connecting = lapin::Connection::connect(&url, ConnectionProperties::default());
        let connection = soon(connecting).await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
        soon(channel.queue_declare(stream.as_str().into(), options, arguments)).await.expect("a stream");
        Self { node, stream, channel, _connection: connection }
    }

    /// Where its node listens for the stream protocol.
    pub(crate) fn endpoint(&self) -> StreamEndpoint {
        endpoint_of(&self.node)
    }

    /// The same for another user, whose password is `s3cret`.
    pub(crate) fn endpoint_as(&self, user: &str) -> StreamEndpoint {
        let url = self.node.url().replace("guest:guest", &format!("{user}:s3cret"));
        endpoint(&url, "127.0.0.1", self.node.stream_port().expect("a port for streams"))
    }

    /// Publishes a message, and waits until the broker has it: it is a chunk of its own.
    pub(crate) async fn publish(&self, message: &[u8]) {
        let options = BasicPublishOptions::default();
        let (to, properties) = (self.stream.as_str().into(), BasicProperties::default());
        let confirm = self.channel.basic_publish("".into(), to, options, message, properties);
        let confirmed = soon(soon(confirm).await.expect("an open channel")).await;
        assert!(confirmed.expect("an answer").is_ack());
    }

    /// Publishes this many messages, each a chunk of its own.
    pub(crate) async fn publish_chunks(&self, count: u32) {
        for n in 0..count {
            self.publish(format!("message {n}").as_bytes()).await;
        }
    }

    /// Deletes the stream.
    pub(crate) async fn delete(&self) {
        let deleted = self.channel.queue_delete(self.stream.as_str().into(), QueueDeleteOptions::default());
        soon(deleted).await.expect("a stream to delete");
    }
}
