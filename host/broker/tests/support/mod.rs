//! What the tests share: brokers, lapin connections, and a timeout.

#![allow(dead_code, reason = "each test binary uses another part")]

use std::{future::Future, panic::Location, time::Duration};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, Error, ErrorKind,
    ExchangeKind,
    message::Delivery,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use loghost_broker::{Broker, Options};

pub(crate) mod wire;

/// Far more than anything here takes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) async fn broker() -> Broker {
    broker_with(Options::default()).await
}

pub(crate) async fn broker_with(options: Options) -> Broker {
    Broker::bind(([127, 0, 0, 1], 0).into(), options).await.expect("a free port")
}

pub(crate) async fn connect(broker: &Broker) -> Connection {
    connect_to(&broker.url()).await.expect("a connection")
}

pub(crate) async fn connect_to(url: &str) -> Result<Connection, Error> {
    soon(Connection::connect(url, ConnectionProperties::default())).await
}

pub(crate) async fn channel(broker: &Broker) -> (Connection, Channel) {
    let connection = connect(broker).await;
    let channel = another(&connection).await;
    (connection, channel)
}

pub(crate) async fn another(connection: &Connection) -> Channel {
    soon(connection.create_channel()).await.expect("a channel")
}

/// A queue with arguments: numbers, or strings.
pub(crate) async fn queue_with(channel: &Channel, name: &str, arguments: &[(&str, &str)]) {
    let options = QueueDeclareOptions::default();
    soon(channel.queue_declare(name.into(), options, table(arguments))).await.expect("a queue");
}

pub(crate) fn table(arguments: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value.parse() {
            Ok(number) => AMQPValue::LongInt(number),
            Err(_) => AMQPValue::LongString((*value).into()),
        };
        table.insert((*name).into(), value);
    }
    table
}

/// A queue that is neither durable, nor exclusive, nor auto-delete.
pub(crate) async fn queue(channel: &Channel, name: &str) {
    let options = QueueDeclareOptions::default();
    soon(channel.queue_declare(name.into(), options, FieldTable::default())).await.expect("a queue");
}

pub(crate) async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) {
    let options = ExchangeDeclareOptions::default();
    soon(channel.exchange_declare(name.into(), kind, options, FieldTable::default()))
        .await
        .expect("an exchange");
}

pub(crate) async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) {
    let options = QueueBindOptions::default();
    soon(channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()))
        .await
        .expect("a binding");
}

/// The number of messages that are ready.
pub(crate) async fn ready(channel: &Channel, queue: &str) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared = soon(channel.queue_declare(queue.into(), options, FieldTable::default())).await;
    declared.unwrap().message_count()
}

pub(crate) async fn confirms(channel: &Channel) {
    soon(channel.confirm_select(ConfirmSelectOptions::default())).await.expect("confirms");
}

/// Publishes, on a channel in confirm mode, and waits for the confirm.
pub(crate) async fn publish(channel: &Channel, exchange: &str, key: &str, body: &str) -> Confirmation {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default();
    let confirm = channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties);
    soon(soon(confirm).await.expect("a publish")).await.expect("a confirm")
}

pub(crate) async fn consumer(channel: &Channel, queue: &str, tag: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    soon(channel.basic_consume(queue.into(), tag.into(), options, FieldTable::default()))
        .await
        .expect("a consumer")
}

pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    soon(consumer.next()).await.expect("not cancelled").expect("a delivery")
}

/// Body and redelivered flag of the next delivery.
pub(crate) async fn next_body(consumer: &mut Consumer) -> (String, bool) {
    let delivery = next(consumer).await;
    (String::from_utf8(delivery.data).expect("UTF-8"), delivery.redelivered)
}

/// The code and text of a refusal.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (u16, String) {
    let error = result.expect_err("to be refused");
    match error.kind() {
        ErrorKind::ProtocolError(error) => (error.get_id(), error.get_message().to_string()),
        other => panic!("not refused but failed: {other:?}"),
    }
}

/// Awaits something, and panics after [`TIMEOUT`].
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        tokio::time::timeout(TIMEOUT, future).await.unwrap_or_else(|_| panic!("waited in vain at {caller}"))
    }
}
