//! A look at a broker from outside, by another client: what is in a queue, and messages of one's own.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use tokio::runtime::{self, Runtime};
use tokio::time::{sleep, timeout};

use super::PATIENCE;

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
        let connection = runtime.block_on(async { timeout(PATIENCE, connecting).await });
        let connection = connection.expect("the broker answers").expect("the broker lets us in");
        Self { runtime, connection, quorum_queues: false }
    }

    /// The queues that it declares to listen are quorum queues, not what the broker makes of those without a type.
    pub(super) fn with_quorum_queues(self) -> Self {
        Self { quorum_queues: true, ..self }
    }

    /// How many messages are ready in a queue; none if there is no such queue.
    pub(crate) fn depth(&self, queue: &str) -> Option<u32> {
        self.on_channel(async |channel| {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
            declared.ok().map(|queue| queue.message_count())
        })
    }

    /// Declares a queue that gets all of a severity's logs, as somebody may who is not loghost.
    #[track_caller]
    pub(crate) fn listen(&self, queue: &str, exchange: &str) {
        self.listen_with(queue, exchange, FieldTable::default());
    }

    /// The same, of a queue that refuses what is more than `most` messages.
    #[track_caller]
    pub(crate) fn listen_to(&self, most: u32, queue: &str, exchange: &str) {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongUInt(most));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        self.listen_with(queue, exchange, arguments);
    }

    #[track_caller]
    fn listen_with(&self, queue: &str, exchange: &str, mut arguments: FieldTable) {
        if self.quorum_queues {
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        }
        let declared: lapin::Result<()> = self.on_channel(async |channel| {
            let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let none = FieldTable::default();
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, durable, none.clone()).await?;
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(queue.into(), durable, arguments).await?;
            let options = QueueBindOptions::default();
            channel.queue_bind(queue.into(), exchange.into(), "#".into(), options, none).await
        });
        declared.expect("the broker lets us declare");
    }

    /// Declares a queue, as somebody may who is not loghost.
    #[track_caller]
    pub(crate) fn declare(&self, queue: &str, options: QueueDeclareOptions, arguments: &[(&str, AMQPValue)]) {
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        let declared =
            self.on_channel(async |channel| channel.queue_declare(queue.into(), options, table).await);
        declared.expect("the broker lets us declare");
    }

    /// Declares a queue that gets what comes through an exchange that is there under the queue's own name.
    #[track_caller]
    pub(crate) fn spy(&self, queue: &str, exchange: &str) {
        let declared: lapin::Result<()> = self.on_channel(async |channel| {
            let none = FieldTable::default();
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(queue.into(), durable, none.clone()).await?;
            let options = QueueBindOptions::default();
            channel.queue_bind(queue.into(), exchange.into(), queue.into(), options, none).await
        });
        declared.expect("the broker lets us declare");
    }

    /// Declares a queue that nobody else may use while this connection is there.
    #[track_caller]
    pub(crate) fn own(&self, queue: &str) {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let declared = self.on_channel(async |channel| {
            channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop)
        });
        declared.expect("the broker lets us declare");
    }

    /// Deletes a queue, and what is in it; gives how many messages those were.
    #[track_caller]
    pub(crate) fn delete(&self, queue: &str) -> u32 {
        let options = QueueDeleteOptions::default();
        let deleted = self.on_channel(async |channel| channel.queue_delete(queue.into(), options).await);
        deleted.expect("the broker lets us delete")
    }

    /// Deletes an exchange.
    #[track_caller]
    pub(crate) fn delete_exchange(&self, exchange: &str) {
        let options = ExchangeDeleteOptions::default();
        let deleted =
            self.on_channel(async |channel| channel.exchange_delete(exchange.into(), options).await);
        deleted.expect("the broker lets us delete");
    }

    /// Declares an exchange as loghost does.
    #[track_caller]
    pub(crate) fn declare_exchange(&self, exchange: &str, kind: ExchangeKind) {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.on_channel(async |channel| {
            channel.exchange_declare(exchange.into(), kind, durable, FieldTable::default()).await
        });
        declared.expect("the broker lets us declare");
    }

    /// Removes a binding.
    #[track_caller]
    pub(crate) fn unbind(&self, queue: &str, exchange: &str, key: &str) {
        let none = FieldTable::default();
        let unbound = self.on_channel(async |channel| {
            channel.queue_unbind(queue.into(), exchange.into(), key.into(), none).await
        });
        unbound.expect("the broker lets us unbind");
    }

    /// Waits until what is published to an exchange with this key reaches a queue, where one message of nobody's is
    /// left.
    #[track_caller]
    pub(crate) fn wait_until_routed(&self, exchange: &str, key: &str) {
        let deadline = Instant::now() + PATIENCE;
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

    /// Binds a queue that is there to an exchange of one's own.
    #[track_caller]
    pub(crate) fn bind(&self, queue: &str, exchange: &str) {
        let bound: lapin::Result<()> = self.on_channel(async |channel| {
            let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
            channel.exchange_declare(exchange.into(), ExchangeKind::Fanout, options, none.clone()).await?;
            let options = QueueBindOptions::default();
            channel.queue_bind(queue.into(), exchange.into(), "".into(), options, none).await
        });
        bound.expect("the broker lets us bind");
    }

    /// Binds a queue to an exchange with a key, both of which are there.
    #[track_caller]
    pub(crate) fn bind_with(&self, queue: &str, exchange: &str, key: &str) {
        let options = QueueBindOptions::default();
        let bound = self.on_channel(async |channel| {
            channel
                .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
                .await
        });
        bound.expect("the broker lets us bind");
    }

    /// Binds a queue to the exchange of a severity, which its consumer may not have declared.
    #[track_caller]
    pub(crate) fn bind_a_severity(&self, queue: &str, exchange: &str, key: &str) {
        self.declare_exchange(exchange, ExchangeKind::Topic);
        self.bind_with(queue, exchange, key);
    }

    /// Declares an exchange of one's own, all of whose messages go on to one that is there.
    #[track_caller]
    pub(crate) fn lead_on(&self, exchange: &str, destination: &str) {
        let bound: lapin::Result<()> = self.on_channel(async |channel| {
            let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, options, none.clone()).await?;
            let options = ExchangeBindOptions::default();
            channel.exchange_bind(destination.into(), exchange.into(), "#".into(), options, none).await
        });
        bound.expect("the broker lets us bind");
    }

    /// Publishes messages, and waits for all confirmations.
    #[track_caller]
    pub(crate) fn publish_all<'a>(
        &self,
        messages: impl IntoIterator<Item = (&'a str, &'a str, String, BasicProperties)>,
    ) {
        let confirmed: lapin::Result<()> = self.on_channel(async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            for (exchange, key, body, properties) in messages {
                let options = BasicPublishOptions::default();
                channel
                    .basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties)
                    .await?;
            }
            channel.wait_for_confirms().await.map(drop)
        });
        confirmed.expect("the broker takes them");
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn wait_until(&self, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "what is waited for does not come");
            self.pause();
        }
    }

    /// Waits until a queue has this many messages.
    #[track_caller]
    pub(crate) fn wait_for_depth(&self, queue: &str, depth: u32) {
        let deadline = Instant::now() + PATIENCE;
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
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.depth(queue);
            if now >= Some(depth) {
                return;
            }
            assert!(Instant::now() < deadline, "{queue} has {now:?} messages, not {depth}");
            self.pause();
        }
    }

    /// Waits until nobody consumes these queues.
    #[track_caller]
    pub(crate) fn wait_until_unconsumed(&self, queues: &[String]) {
        let deadline = Instant::now() + PATIENCE;
        for queue in queues {
            let consumers = || {
                self.on_channel(async |channel| {
                    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                    channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await
                })
            };
            while consumers().is_ok_and(|queue| queue.consumer_count() > 0) {
                assert!(Instant::now() < deadline, "somebody consumes {queue}");
                self.pause();
            }
        }
    }

    /// Waits until there is no such queue.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self, queue: &str) {
        let deadline = Instant::now() + PATIENCE;
        while let Some(depth) = self.depth(queue) {
            assert!(Instant::now() < deadline, "{queue} is still there, with {depth} messages");
            self.pause();
        }
    }

    /// Publishes a message, and waits for the broker's confirmation.
    #[track_caller]
    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let confirmed = self.on_channel(async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await
        });
        let confirmed = confirmed.expect("the broker takes it");
        assert!(confirmed.is_ack() && !format!("{confirmed:?}").contains("Some("), "no queue: {confirmed:?}");
    }

    /// Publishes a message straight to a queue; whether it was taken.
    #[track_caller]
    pub(crate) fn offer(&self, queue: &str, body: &[u8]) -> bool {
        let confirmed = self.on_channel(async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await
        });
        confirmed.expect("the broker answers").is_ack()
    }

    /// Takes a message out of a queue, and waits for one if there is none.
    #[track_caller]
    pub(crate) fn take(&self, queue: &str) -> Delivery {
        let mut taken = self.take_some(queue, 1);
        taken.pop().unwrap_or_else(|| panic!("no message arrived in {queue}"))
    }

    /// Takes out all that is in a queue.
    #[track_caller]
    pub(crate) fn take_all(&self, queue: &str) -> Vec<Delivery> {
        let depth = self.depth(queue).expect("the queue is there");
        self.take_some(queue, depth)
    }

    /// Takes so many out, as a consumer: a quorum queue with a single active one has no other way.
    #[track_caller]
    fn take_some(&self, queue: &str, messages: u32) -> Vec<Delivery> {
        if messages == 0 {
            return Vec::new();
        }
        let taken: lapin::Result<Vec<_>> = self.on_channel(async |channel| {
            let prefetch = u16::try_from(messages.min(1000)).unwrap_or(1000);
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
            let mut consumer = channel.basic_consume(queue.into(), "".into(), options, none).await?;
            let mut taken = Vec::new();
            for n in 1..=messages {
                let Some(message) = consumer.next().await else { break };
                let message = message?;
                // The last: whatever else was delivered goes back.
                if n == messages {
                    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
                }
                message.ack(BasicAckOptions::default()).await?;
                taken.push(message);
            }
            Ok(taken)
        });
        taken.expect("the queue is there")
    }

    fn pause(&self) {
        self.runtime.block_on(async { sleep(Duration::from_millis(20)).await });
    }

    /// Does something on a channel of its own: an error closes one.
    fn on_channel<T>(&self, work: impl AsyncFnOnce(Channel) -> T) -> T {
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.expect("a channel");
            let done = timeout(PATIENCE, work(channel.clone())).await.expect("the broker answers");
            // After an error it is closed already.
            let _ = channel.close(200, "done".into()).await;
            done
        })
    }
}
