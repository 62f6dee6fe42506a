//! Where dead letters go, and their headers.

use lapin::{
    BasicProperties, Channel, Consumer, ExchangeKind,
    message::Delivery,
    options::{BasicNackOptions, BasicPublishOptions, BasicRejectOptions},
    types::{AMQPValue, FieldArray, FieldTable, ShortString},
};

use crate::support::{
    bind, broker, channel, confirms, consumer, exchange, next, publish, queue, queue_with, ready, soon,
};

mod support;

/// A queue `dead` behind the exchange of that name, and its consumer.
async fn dead(channel: &Channel) -> Consumer {
    exchange(channel, "dead", ExchangeKind::Topic).await;
    queue(channel, "dead").await;
    bind(channel, "dead", "dead", "#").await;
    consumer(channel, "dead", "dead").await
}

fn header(delivery: &Delivery, name: &str) -> AMQPValue {
    let headers = delivery.properties.headers().as_ref().expect("headers");
    headers.inner().get(name).unwrap_or_else(|| panic!("no {name}: {headers:?}")).clone()
}

/// The entries of `x-death`: reason, queue, exchange, routing keys and count.
fn deaths(delivery: &Delivery) -> Vec<String> {
    let AMQPValue::FieldArray(deaths) = header(delivery, "x-death") else { panic!("no array") };
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::LongLongInt(count) => count.to_string(),
        other => panic!("{other:?}"),
    };
    let described = |death: &AMQPValue| {
        let AMQPValue::FieldTable(death) = death else { panic!("no table") };
        let field = |name: &str| death.inner().get(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(matches!(field("time"), AMQPValue::Timestamp(1..)));
        let AMQPValue::FieldArray(keys) = field("routing-keys") else { panic!("no array") };
        let keys: Vec<_> = keys.as_slice().iter().map(text).collect();
        let [reason, queue, exchange, count] =
            ["reason", "queue", "exchange", "count"].map(|n| text(field(n)));
        format!("{count} {reason} in {queue} from '{exchange}' by {}", keys.join(","))
    };
    deaths.as_slice().iter().map(described).collect()
}

async fn reject(delivery: &Delivery) {
    soon(delivery.acker.reject(BasicRejectOptions { requeue: false })).await.unwrap();
}

#[tokio::test]
async fn rejected_messages_go_to_the_exchange_for_dead_letters() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    let mut dead = dead(&channel).await;
    queue_with(&channel, "q", &[("x-dead-letter-exchange", "dead")]).await;
    confirms(&channel).await;
    publish(&channel, "", "q", "x").await;
    let mut consumer = consumer(&channel, "q", "c").await;
    reject(&next(&mut consumer).await).await;
    let dead_letter = next(&mut dead).await;
    assert_eq!((dead_letter.exchange.as_str(), dead_letter.routing_key.as_str()), ("dead", "q"));
    assert_eq!((dead_letter.data.as_slice(), dead_letter.redelivered), (&b"x"[..], false));
    assert_eq!(deaths(&dead_letter), ["1 rejected in q from '' by q"]);
    for (name, value) in [("reason", "rejected"), ("queue", "q"), ("exchange", "")] {
        let value = AMQPValue::LongString(value.into());
        assert_eq!(header(&dead_letter, &format!("x-first-death-{name}")), value);
    }
}

#[tokio::test]
async fn expired_messages_are_dead_letters_without_their_expiration() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    let mut dead = dead(&channel).await;
    let arguments = [("x-dead-letter-exchange", "dead"), ("x-dead-letter-routing-key", "late")];
    queue_with(&channel, "q", &arguments).await;
    queue_with(&channel, "r", &[&arguments[..], &[("x-message-ttl", "20")]].concat()).await;
    confirms(&channel).await;
    let mut headers = FieldTable::default();
    let copies = FieldArray::from(vec![AMQPValue::LongString("copy".into())]);
    headers.insert("CC".into(), AMQPValue::FieldArray(copies));
    headers.insert("kept".into(), AMQPValue::Boolean(true));
    let properties = BasicProperties::default()
        .with_expiration("20".into())
        .with_headers(headers)
        .with_message_id("id".into())
        .with_priority(3);
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish("".into(), "q".into(), options, b"own", properties);
    soon(soon(confirm).await.unwrap()).await.unwrap();
    let dead_letter = next(&mut dead).await;
    assert_eq!((dead_letter.data.as_slice(), dead_letter.routing_key.as_str()), (&b"own"[..], "late"));
    assert_eq!(deaths(&dead_letter), ["1 expired in q from '' by q,copy"]);
    assert_eq!(*dead_letter.properties.expiration(), None);
    assert_eq!(*dead_letter.properties.priority(), Some(3));
    assert_eq!(dead_letter.properties.message_id().as_ref().map(ShortString::as_str), Some("id"));
    let headers = dead_letter.properties.headers().as_ref().unwrap();
    assert!(headers.contains_key("kept") && !headers.contains_key("CC"), "{headers:?}");

    publish(&channel, "", "r", "queue's").await;
    assert_eq!(deaths(&next(&mut dead).await), ["1 expired in r from '' by r"]);
}

#[tokio::test]
async fn what_is_displaced_is_a_dead_letter() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    let mut dead = dead(&channel).await;
    queue_with(&channel, "q", &[("x-dead-letter-exchange", "dead"), ("x-max-length", "1")]).await;
    confirms(&channel).await;
    for body in ["1", "2", "3"] {
        publish(&channel, "", "q", body).await;
    }
    for body in ["1", "2"] {
        let dead_letter = next(&mut dead).await;
        assert_eq!(dead_letter.data, body.as_bytes());
        assert_eq!(deaths(&dead_letter), ["1 maxlen in q from '' by q"]);
    }
    assert_eq!(ready(&channel, "q").await, 1);
}

#[tokio::test]
async fn dead_letters_keep_their_order() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    let mut dead = dead(&channel).await;
    queue_with(&channel, "q", &[("x-dead-letter-exchange", "dead")]).await;
    confirms(&channel).await;
    let mut consumer = consumer(&channel, "q", "c").await;
    let bodies = ["1", "2", "3"];
    for body in bodies {
        publish(&channel, "", "q", body).await;
        next(&mut consumer).await;
    }
    soon(channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: false })).await.unwrap();
    for body in bodies {
        assert_eq!(next(&mut dead).await.data, body.as_bytes());
    }
}

/// The usual way to retry later: a rejected message waits in a second queue, and returns when it expires there.
#[tokio::test]
async fn a_message_goes_in_a_circle_as_long_as_it_is_rejected() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    let to = |queue| [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", queue)];
    queue_with(&channel, "work", &to("wait")).await;
    queue_with(&channel, "wait", &[&to("work")[..], &[("x-message-ttl", "10")]].concat()).await;
    confirms(&channel).await;
    publish(&channel, "", "work", "x").await;
    let mut consumer = consumer(&channel, "work", "c").await;
    let first = next(&mut consumer).await;
    assert!(first.properties.headers().is_none());
    reject(&first).await;
    for count in 1..=3 {
        let again = next(&mut consumer).await;
        let expired = format!("{count} expired in wait from '' by wait");
        let rejected = format!("{count} rejected in work from '' by work");
        assert_eq!(deaths(&again), [expired, rejected]);
        reject(&again).await;
    }
}

/// Two queues of length one, each the target of the other's dead letters.
#[tokio::test]
async fn a_circle_without_a_rejection_ends() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    for (name, other) in [("q", "r"), ("r", "q")] {
        let arguments =
            [("x-max-length", "1"), ("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", other)];
        queue_with(&channel, name, &arguments).await;
    }
    confirms(&channel).await;
    for body in ["1", "2", "3", "4", "5"] {
        publish(&channel, "", "q", body).await;
    }
    assert_eq!((ready(&channel, "q").await, ready(&channel, "r").await), (1, 1));
}
