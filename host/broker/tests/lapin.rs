//! The broker with the client lapin.

use futures_util::{StreamExt, future::join_all};
use lapin::{
    BasicProperties, Confirmation, ExchangeKind,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
        BasicPublishOptions, BasicQosOptions, BasicRecoverOptions, ExchangeDeclareOptions,
        ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
    },
    types::{AMQPValue, FieldTable},
};
use loghost_broker::{Broker, Options};

use crate::support::{
    another, bind, broker, channel, confirms, connect, connect_to, consumer, exchange, next, next_body,
    publish, queue, ready, refusal, soon,
};

mod support;

#[tokio::test]
async fn a_published_log_is_confirmed_consumed_and_acknowledged() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    exchange(&channel, "logs", ExchangeKind::Topic).await;
    queue(&channel, "q").await;
    bind(&channel, "q", "logs", "web.#").await;
    confirms(&channel).await;
    let properties = BasicProperties::default().with_content_type("text/plain".into()).with_timestamp(7);
    let options = BasicPublishOptions::default();
    let publish = channel.basic_publish("logs".into(), "web.1".into(), options, b"hello", properties.clone());
    assert_eq!(soon(soon(publish).await.unwrap()).await.unwrap(), Confirmation::Ack(None));

    let mut consumer = consumer(&channel, "q", "c").await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.data, b"hello");
    assert_eq!(delivery.properties, properties);
    assert_eq!((delivery.exchange.as_str(), delivery.routing_key.as_str()), ("logs", "web.1"));
    assert_eq!((delivery.delivery_tag, delivery.redelivered), (1, false));
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    soon(broker.shutdown()).await;
}

#[tokio::test]
async fn mandatory_messages_come_back_before_their_confirm() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    confirms(&channel).await;
    let Confirmation::Ack(Some(returned)) = publish(&channel, "amq.topic", "nobody", "back").await else {
        panic!("not returned");
    };
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!(returned.delivery.data, b"back");
    assert_eq!(returned.delivery.routing_key.as_str(), "nobody");
}

#[tokio::test]
async fn many_publishes_are_each_confirmed_once_and_kept_in_order() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    let mut pending = Vec::new();
    for n in 0..2000 {
        let body = n.to_string();
        let options = BasicPublishOptions::default();
        let publish = channel.basic_publish(
            "".into(),
            "q".into(),
            options,
            body.as_bytes(),
            BasicProperties::default(),
        );
        pending.push(publish.await.unwrap());
    }
    let confirmed = soon(join_all(pending)).await;
    assert!(confirmed.iter().all(|confirm| matches!(confirm, Ok(Confirmation::Ack(None)))));
    let mut consumer = consumer(&channel, "q", "c").await;
    for n in 0..2000 {
        assert_eq!(next(&mut consumer).await.data, n.to_string().as_bytes());
    }
}

#[tokio::test]
async fn bodies_larger_than_a_frame_arrive_whole() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    let body = "0123456789".repeat(100_000);
    publish(&channel, "", "q", &body).await;
    publish(&channel, "", "q", "").await;
    let mut consumer = consumer(&channel, "q", "c").await;
    assert!(next(&mut consumer).await.data == body.as_bytes());
    assert_eq!(next(&mut consumer).await.data, b"");
}

#[tokio::test]
async fn prefetch_holds_deliveries_back() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    soon(channel.basic_qos(2, BasicQosOptions::default())).await.unwrap();
    let mut consumer = consumer(&channel, "q", "c").await;
    for body in ["1", "2", "3", "4"] {
        publish(&channel, "", "q", body).await;
    }
    let first = next(&mut consumer).await;
    assert_eq!(next_body(&mut consumer).await, ("2".into(), false));
    assert_eq!(ready(&channel, "q").await, 2);
    first.ack(BasicAckOptions { multiple: true }).await.unwrap();
    assert_eq!(next_body(&mut consumer).await, ("3".into(), false));
}

#[tokio::test]
async fn consumers_take_turns() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    let mut first = consumer(&channel, "q", "a").await;
    let mut second = consumer(&channel, "q", "b").await;
    for body in ["1", "2", "3", "4"] {
        publish(&channel, "", "q", body).await;
    }
    for (consumer, expected) in [(&mut first, ["1", "3"]), (&mut second, ["2", "4"])] {
        for body in expected {
            assert_eq!(next_body(consumer).await.0, body);
        }
    }
}

#[tokio::test]
async fn requeued_messages_return_to_their_place() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    for body in ["1", "2", "3"] {
        publish(&channel, "", "q", body).await;
    }
    let mut tags = Vec::new();
    for _ in 0..2 {
        let got = soon(channel.basic_get("q".into(), BasicGetOptions::default())).await.unwrap().unwrap();
        tags.push(got.delivery.delivery_tag);
    }
    let options = BasicNackOptions { requeue: true, multiple: true };
    soon(channel.basic_nack(tags[1], options)).await.unwrap();
    let mut consumer = consumer(&channel, "q", "c").await;
    for expected in [("1", true), ("2", true), ("3", false)] {
        assert_eq!(next_body(&mut consumer).await, (expected.0.into(), expected.1));
    }
    soon(channel.basic_recover(BasicRecoverOptions { requeue: true })).await.unwrap();
    for body in ["1", "2", "3"] {
        assert_eq!(next_body(&mut consumer).await, (body.into(), true));
    }
}

#[tokio::test]
async fn get_fetches_one_or_says_that_there_is_none() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    publish(&channel, "", "q", "1").await;
    publish(&channel, "", "q", "2").await;
    let options = BasicGetOptions { no_ack: true };
    let got = soon(channel.basic_get("q".into(), options)).await.unwrap().unwrap();
    assert_eq!((got.data.as_slice(), got.message_count), (&b"1"[..], 1));
    let purged = soon(channel.queue_purge("q".into(), QueuePurgeOptions::default())).await.unwrap();
    assert_eq!(purged, 1);
    assert!(soon(channel.basic_get("q".into(), options)).await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_dead_connection_held_is_delivered_again() {
    let broker = broker().await;
    let (dying, doomed) = channel(&broker).await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    let mut unlucky = consumer(&doomed, "q", "a").await;
    publish(&channel, "", "q", "1").await;
    publish(&channel, "", "q", "2").await;
    next(&mut unlucky).await;
    next(&mut unlucky).await;
    let mut successor = consumer(&channel, "q", "b").await;
    soon(dying.close(200, "bye".into())).await.unwrap();
    assert_eq!(next_body(&mut successor).await, ("1".into(), true));
    assert_eq!(next_body(&mut successor).await, ("2".into(), true));
}

#[tokio::test]
async fn a_single_active_consumer_is_followed_by_the_next() {
    let broker = broker().await;
    let (first_connection, first_channel) = channel(&broker).await;
    let (_connection, channel) = channel(&broker).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    soon(channel.queue_declare("q".into(), QueueDeclareOptions::default(), arguments)).await.unwrap();
    confirms(&channel).await;
    let mut active = consumer(&first_channel, "q", "a").await;
    let mut waiting = consumer(&channel, "q", "b").await;
    for body in ["1", "2"] {
        publish(&channel, "", "q", body).await;
        assert_eq!(next_body(&mut active).await, (body.into(), false));
    }
    soon(first_connection.close(200, "bye".into())).await.unwrap();
    assert_eq!(next_body(&mut waiting).await, ("1".into(), true));
    assert_eq!(next_body(&mut waiting).await, ("2".into(), true));
}

#[tokio::test]
async fn a_consumer_hears_that_its_queue_is_deleted() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    let mut consumer = consumer(&channel, "q", "c").await;
    let deleted = soon(channel.queue_delete("q".into(), QueueDeleteOptions::default())).await.unwrap();
    assert_eq!(deleted, 0);
    assert!(soon(consumer.next()).await.is_none());
}

#[tokio::test]
async fn a_cancelled_consumer_gets_no_more() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    confirms(&channel).await;
    let mut consumer = consumer(&channel, "q", "c").await;
    soon(channel.basic_cancel("c".into(), BasicCancelOptions::default())).await.unwrap();
    publish(&channel, "", "q", "1").await;
    assert!(soon(consumer.next()).await.is_none());
    assert_eq!(ready(&channel, "q").await, 1);
}

#[tokio::test]
async fn server_named_queues_are_exclusive_and_go_with_their_connection() {
    let broker = broker().await;
    let (owner, own) = channel(&broker).await;
    let (other, _) = channel(&broker).await;
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let declared = soon(own.queue_declare("".into(), options, FieldTable::default())).await.unwrap();
    let name = declared.name().clone();
    assert!(name.as_str().starts_with("amq.gen-"), "{name}");
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    for (code, closing) in [(405, Some(owner)), (404, None)] {
        let channel = another(&other).await;
        let declared = soon(channel.queue_declare(name.clone(), passive, FieldTable::default())).await;
        assert_eq!(refusal(declared).0, code);
        if let Some(owner) = closing {
            soon(owner.close(200, "bye".into())).await.unwrap();
        }
    }
}

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

/// Declarations that applications make on any broker.
#[tokio::test]
async fn a_quorum_queue_is_a_queue_that_gives_back_what_is_requeued() {
    let broker = broker().await;
    let (connection, channel) = channel(&broker).await;
    let arguments = |kind: &str, limit: Option<i32>| {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        if let Some(limit) = limit {
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(limit));
        }
        arguments
    };
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    for _ in 0..2 {
        soon(channel.queue_declare("q".into(), durable, arguments("quorum", Some(1)))).await.unwrap();
    }
    confirms(&channel).await;
    publish(&channel, "", "q", "1").await;
    let mut consumer = consumer(&channel, "q", "a").await;
    for attempt in 0..5 {
        assert_eq!(next_body(&mut consumer).await, ("1".into(), attempt > 0));
        let requeue = BasicNackOptions { requeue: true, multiple: true };
        soon(channel.basic_nack(0, requeue)).await.unwrap();
    }
    let transient = QueueDeclareOptions::default();
    for (name, options, kind, limit, reason) in [
        (
            "q",
            durable,
            "classic",
            None,
            "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is 'quorum'",
        ),
        (
            "q",
            durable,
            "quorum",
            None,
            "inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received none but current is the value '1' of type 'signedint'",
        ),
        ("r", transient, "quorum", None, "invalid property 'non-durable' for queue 'r' in vhost '/'"),
        (
            "r",
            durable,
            "classic",
            Some(1),
            "invalid arg 'x-delivery-limit' for queue 'r' in vhost '/' of queue type classic",
        ),
    ] {
        let channel = another(&connection).await;
        let declared = soon(channel.queue_declare(name.into(), options, arguments(kind, limit))).await;
        assert_eq!(refusal(declared), (406, format!("PRECONDITION_FAILED - {reason}")));
    }
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

#[tokio::test]
async fn another_user_may_be_chosen() {
    let options = Options { user: "us/er".into(), password: "p@ss".into(), ..Options::default() };
    assert!(!format!("{options:?}").contains("p@ss"));
    let broker = support::broker_with(options).await;
    connect(&broker).await;
}

#[tokio::test]
async fn shutting_down_closes_connections_and_frees_the_port() {
    let broker = broker().await;
    let address = broker.local_addr();
    let (connection, channel) = channel(&broker).await;
    soon(broker.shutdown()).await;
    let declared = channel.queue_declare("q".into(), QueueDeclareOptions::default(), FieldTable::default());
    assert!(soon(declared).await.is_err());
    assert!(!connection.status().connected());
    Broker::bind(address, Options::default()).await.unwrap();
}

#[tokio::test]
async fn dropping_the_broker_ends_it_too() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    queue(&channel, "q").await;
    let mut consumer = consumer(&channel, "q", "c").await;
    drop(broker);
    let last = soon(consumer.next()).await;
    assert!(!matches!(last, Some(Ok(_))), "the connection is gone");
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let broker = broker().await;
    let error = Broker::bind(broker.local_addr(), Options::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", broker.local_addr()));
}
