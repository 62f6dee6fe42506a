//! What is refused, and with which words.

use lapin::{
    ExchangeKind,
    options::{
        BasicConsumeOptions, BasicRecoverOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};

use crate::support::{another, broker, channel, connect_to, consumer, exchange, queue, refusal, soon};

/// A refusal ends the channel and nothing else, so each of these is asked on a new one.
#[tokio::test]
async fn contradictions_are_refused_in_rabbitmqs_words() {
    let broker = broker().await;
    let (connection, setup) = channel(&broker).await;
    queue(&setup, "q").await;
    exchange(&setup, "x", ExchangeKind::Fanout).await;

    let channel = another(&connection).await;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        soon(channel.exchange_declare("x".into(), ExchangeKind::Fanout, durable, FieldTable::default()))
            .await;
    let text = "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'x' in vhost '/': \
                received 'true' but current is 'false'";
    assert_eq!(refusal(declared), (406, text.into()));

    let channel = another(&connection).await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = soon(channel.queue_declare("q".into(), durable, FieldTable::default())).await;
    let text = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': \
                received 'true' but current is 'false'";
    assert_eq!(refusal(declared), (406, text.into()));

    let channel = another(&connection).await;
    let options = ExchangeDeclareOptions::default();
    let reserved =
        channel.exchange_declare("amq.mine".into(), ExchangeKind::Fanout, options, FieldTable::default());
    assert_eq!(refusal(soon(reserved).await).0, 403);

    let channel = another(&connection).await;
    let deleted = channel.exchange_delete("amq.topic".into(), ExchangeDeleteOptions::default());
    assert_eq!(refusal(soon(deleted).await).0, 403);

    let channel = another(&connection).await;
    let options = BasicConsumeOptions::default();
    let missing = channel.basic_consume("none".into(), "c".into(), options, FieldTable::default());
    let text = "NOT_FOUND - no queue 'none' in vhost '/'";
    assert_eq!(refusal(soon(missing).await), (404, text.into()));

    let channel = another(&connection).await;
    let exclusive = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let _first = consumer(&setup, "q", "c").await;
    let second = channel.basic_consume("q".into(), "d".into(), exclusive, FieldTable::default());
    assert_eq!(refusal(soon(second).await).0, 403);
    assert!(connection.status().connected());
}

/// What is not implemented ends the connection, so each of these is asked on a new one.
#[tokio::test]
async fn what_is_not_implemented_is_refused_with_540() {
    let broker = broker().await;
    let arguments = |name: &str| {
        let mut arguments = FieldTable::default();
        arguments.insert(name.into(), AMQPValue::LongInt(1));
        arguments
    };

    let (_connection, refused) = channel(&broker).await;
    let options = QueueDeclareOptions::default();
    let declared = soon(refused.queue_declare("q".into(), options, arguments("x-max-priority"))).await;
    assert_eq!(refusal(declared), (540, "NOT_IMPLEMENTED - argument 'x-max-priority'".into()));

    let (_connection, refused) = channel(&broker).await;
    queue(&refused, "q").await;
    let options = BasicConsumeOptions::default();
    let consumed = refused.basic_consume("q".into(), "c".into(), options, arguments("x-priority"));
    assert_eq!(refusal(soon(consumed).await), (540, "NOT_IMPLEMENTED - argument 'x-priority'".into()));

    let (_connection, refused) = channel(&broker).await;
    let no_local = BasicConsumeOptions { no_local: true, ..BasicConsumeOptions::default() };
    let consumed = refused.basic_consume("q".into(), "c".into(), no_local, FieldTable::default());
    assert_eq!(refusal(soon(consumed).await).0, 540);

    let (_connection, refused) = channel(&broker).await;
    assert_eq!(refusal(soon(refused.tx_select()).await).0, 540);

    let (_connection, refused) = channel(&broker).await;
    let recovered = refused.basic_recover(BasicRecoverOptions { requeue: false });
    assert_eq!(refusal(soon(recovered).await).0, 540);

    let (_connection, refused) = channel(&broker).await;
    let kind = ExchangeKind::Headers;
    let options = ExchangeDeclareOptions::default();
    let declared = refused.exchange_declare("h".into(), kind, options, FieldTable::default());
    let text = "NOT_IMPLEMENTED - exchange type 'headers'";
    assert_eq!(refusal(soon(declared).await), (540, text.into()));

    for exchange in ["amq.headers", "amq.match"] {
        let (_connection, refused) = channel(&broker).await;
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Headers;
        let declared = refused.exchange_declare(exchange.into(), kind, options, FieldTable::default());
        let text = format!("NOT_IMPLEMENTED - headers exchanges: exchange '{exchange}'");
        assert_eq!(refusal(soon(declared).await), (540, text));
    }

    let (_connection, refused) = channel(&broker).await;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let queue = "amq.rabbitmq.reply-to";
    let consumed = refused.basic_consume(queue.into(), "c".into(), options, FieldTable::default());
    let text = format!("NOT_IMPLEMENTED - direct reply-to: queue '{queue}'");
    assert_eq!(refusal(soon(consumed).await), (540, text));
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let broker = broker().await;
    let wrong_password = broker.url().replace("guest@", "guess@");
    assert_eq!(refusal(connect_to(&wrong_password).await).0, 403);
    let wrong_host = broker.url().replace("%2f", "other");
    assert_eq!(refusal(connect_to(&wrong_host).await).0, 530);
}
