//! Another client than loghost: the depths of queues, and waiting for them.

mod messages;
mod streams;
mod topology;

use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind};
use tokio::runtime::{self, Runtime};
use tokio::time::{sleep, timeout};

pub(crate) use self::topology::{DURABLE, text};
use super::TIMEOUT;

/// A connection to a broker.
pub(crate) struct Outside {
    runtime: Runtime,
    connection: Connection,
    quorum_queues: bool,
}

impl Outside {
    #[track_caller]
    pub(crate) fn connect(url: &str) -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads are to be had");
        let connecting = Connection::connect(url, ConnectionProperties::default());
        let connection = runtime.block_on(async { timeout(TIMEOUT, connecting).await });
        let connection = connection.expect("the broker answers").expect("the broker lets us in");
        Self { runtime, connection, quorum_queues: false }
    }

    /// Declares quorum queues, instead of queues of the broker's default type.
    pub(super) fn with_quorum_queues(self) -> Self {
        Self { quorum_queues: true, ..self }
    }

    /// The number of messages that are ready in a queue; none if there is no such queue.
    pub(crate) fn depth(&self, queue: &str) -> Option<u32> {
        self.on_channel(async |channel| {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
            declared.ok().map(|queue| queue.message_count())
        })
    }

    /// Waits until what is published to an exchange with this key reaches a queue. An empty message is left there.
    #[track_caller]
    pub(crate) fn wait_until_routed(&self, exchange: &str, key: &str) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let properties = BasicProperties::default();
            let confirmed = self.on_channel(async |channel| {
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                channel.basic_publish(exchange.into(), key.into(), options, b"", properties).await?.await
            });
            if confirmed.is_ok_and(|confirmed| matches!(confirmed, Confirmation::Ack(None))) {
                return;
            }
            assert!(Instant::now() < deadline, "{exchange} leads nowhere with the key `{key}`");
            self.pause();
        }
    }

    /// Waits until a condition holds.
    #[track_caller]
    pub(crate) fn wait_until(&self, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !is_so() {
            assert!(Instant::now() < deadline, "what is waited for does not come");
            self.pause();
        }
    }

    /// Waits until a queue has this many messages.
    #[track_caller]
    pub(crate) fn wait_for_depth(&self, queue: &str, depth: u32) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let now = self.depth(queue);
            if now == Some(depth) {
                return;
            }
            assert!(Instant::now() < deadline, "{queue} has {now:?} messages, not {depth}");
            self.pause();
        }
    }

    /// Waits until a queue has at least this many messages.
    #[track_caller]
    pub(crate) fn wait_for_at_least(&self, queue: &str, depth: u32) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let now = self.depth(queue);
            if now >= Some(depth) {
                return;
            }
            assert!(Instant::now() < deadline, "{queue} has {now:?} messages, not {depth}");
            self.pause();
        }
    }

    /// Waits until no loghost consumes a queue: there is no consumer, and no lock of one.
    #[track_caller]
    pub(crate) fn wait_until_unconsumed(&self, queue: &str) {
        let look = |queue: &str| {
            self.on_channel(async |channel| {
                let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                channel.queue_declare(queue.into(), options, FieldTable::default()).await
            })
        };
        let is_missing = |error: lapin::Error| {
            let missing = AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND);
            matches!(error.kind(), ErrorKind::ProtocolError(answer) if *answer.kind() == missing)
        };
        self.wait_until(|| look(queue).is_ok_and(|queue| queue.consumer_count() == 0));
        self.wait_until(|| look(&format!("{queue}._lock")).is_err_and(is_missing));
    }

    /// Waits until there is no such queue.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self, queue: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while let Some(depth) = self.depth(queue) {
            assert!(Instant::now() < deadline, "{queue} is still there, with {depth} messages");
            self.pause();
        }
    }

    /// Between two questions: a broker does not say when a queue or a binding changes.
    fn pause(&self) {
        self.runtime.block_on(async { sleep(Duration::from_millis(20)).await });
    }

    /// Runs `work` on a new channel, because an error closes a channel.
    fn on_channel<T>(&self, work: impl AsyncFnOnce(Channel) -> T) -> T {
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.expect("a channel");
            let done = timeout(TIMEOUT, work(channel.clone())).await.expect("the broker answers");
            // After an error it is closed already.
            let _ = channel.close(200, "done".into()).await;
            done
        })
    }
}
