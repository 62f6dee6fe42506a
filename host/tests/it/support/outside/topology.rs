//! Declaring, binding and deleting exchanges and queues.

use lapin::ExchangeKind;
use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};

use super::Outside;

/// The options of a durable queue.
pub(crate) const DURABLE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: true,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

/// An argument of a declaration.
pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

impl Outside {
    /// Declares a stream that has so many bytes at most, or a segment more, in segments of this size.
    #[track_caller]
    pub(crate) fn declare_bounded_stream(&self, stream: &str, retained: i64, segment: i64) {
        let arguments = [
            ("x-queue-type", text("stream")),
            ("x-max-length-bytes", AMQPValue::LongLongInt(retained)),
            ("x-stream-max-segment-size-bytes", AMQPValue::LongLongInt(segment)),
        ];
        self.declare(stream, DURABLE, &arguments);
    }

    /// Declares a queue that is not loghost's and gets all logs of a severity.
    #[track_caller]
    pub(crate) fn listen(&self, queue: &str, exchange: &str) {
        self.listen_with(queue, exchange, FieldTable::default());
    }

    /// The same, with a queue that holds at most `most` messages and rejects others.
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

    /// Declares a queue with any options and arguments.
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

    /// Declares a queue, and binds it to an existing exchange with its own name as the key.
    #[track_caller]
    pub(crate) fn bind_by_name(&self, queue: &str, exchange: &str) {
        let declared: lapin::Result<()> = self.on_channel(async |channel| {
            let none = FieldTable::default();
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(queue.into(), durable, none.clone()).await?;
            let options = QueueBindOptions::default();
            channel.queue_bind(queue.into(), exchange.into(), queue.into(), options, none).await
        });
        declared.expect("the broker lets us declare");
    }

    /// Declares an exclusive queue.
    #[track_caller]
    pub(crate) fn declare_exclusive(&self, queue: &str) {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let declared = self.on_channel(async |channel| {
            channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop)
        });
        declared.expect("the broker lets us declare");
    }

    /// Deletes a queue; returns how many messages were in it.
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

    /// Declares a topic exchange that passes on to another one what it cannot route.
    #[track_caller]
    pub(crate) fn declare_with_alternate(&self, exchange: &str, alternate: &str) {
        let mut arguments = FieldTable::default();
        arguments.insert("alternate-exchange".into(), text(alternate));
        let options = ExchangeDeclareOptions::default();
        let declared = self.on_channel(async |channel| {
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, options, arguments).await
        });
        declared.expect("the broker lets us declare");
    }

    /// Declares a topic exchange that goes with the broker.
    #[track_caller]
    pub(crate) fn declare_transient(&self, exchange: &str) {
        let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
        let declared = self.on_channel(async |channel| {
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, options, none).await
        });
        declared.expect("the broker lets us declare");
    }

    /// Declares a direct exchange that is neither durable nor there without a binding.
    #[track_caller]
    pub(crate) fn declare_passing_exchange(&self, exchange: &str) {
        let options = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
        let declared = self.on_channel(async |channel| {
            let none = FieldTable::default();
            channel.exchange_declare(exchange.into(), ExchangeKind::Direct, options, none).await
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

    /// Declares a fanout exchange, and binds an existing queue to it.
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

    /// Binds an existing queue to an existing exchange with a key.
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

    /// Binds a queue to the exchange of a severity, which is declared if it does not exist.
    #[track_caller]
    pub(crate) fn bind_a_severity(&self, queue: &str, exchange: &str, key: &str) {
        self.declare_exchange(exchange, ExchangeKind::Topic);
        self.bind_with(queue, exchange, key);
    }

    /// Declares an exchange, and binds an existing one to it.
    #[track_caller]
    pub(crate) fn forward(&self, exchange: &str, destination: &str) {
        let bound: lapin::Result<()> = self.on_channel(async |channel| {
            let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, options, none.clone()).await?;
            let options = ExchangeBindOptions::default();
            channel.exchange_bind(destination.into(), exchange.into(), "#".into(), options, none).await
        });
        bound.expect("the broker lets us bind");
    }
}
