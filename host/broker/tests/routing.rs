//! Where a message goes: exchanges bound to exchanges, and copies.

use lapin::{
    BasicProperties, Confirmation, ExchangeKind,
    options::{BasicPublishOptions, ExchangeBindOptions},
    types::{AMQPValue, FieldArray, FieldTable},
};

use crate::support::{
    bind, broker, channel, confirms, consumer, exchange, next, publish, queue, ready, soon,
};

mod support;

#[tokio::test]
async fn exchanges_bound_to_exchanges_pass_on_what_matches() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    exchange(&channel, "outer", ExchangeKind::Topic).await;
    exchange(&channel, "inner", ExchangeKind::Direct).await;
    queue(&channel, "q").await;
    bind(&channel, "q", "inner", "a.b").await;
    let options = ExchangeBindOptions::default();
    let binding =
        channel.exchange_bind("inner".into(), "outer".into(), "a.*".into(), options, FieldTable::default());
    soon(binding).await.unwrap();
    confirms(&channel).await;
    assert_eq!(publish(&channel, "outer", "a.b", "x").await, Confirmation::Ack(None));
    assert!(matches!(publish(&channel, "outer", "a.c", "x").await, Confirmation::Ack(Some(_))));
    let unbinding = channel.queue_unbind("q".into(), "inner".into(), "a.b".into(), FieldTable::default());
    soon(unbinding).await.unwrap();
    assert!(matches!(publish(&channel, "outer", "a.b", "x").await, Confirmation::Ack(Some(_))));
}

#[tokio::test]
async fn carbon_copies_are_routed_and_blind_ones_hidden() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    for name in ["q", "r", "s"] {
        queue(&channel, name).await;
    }
    let keys = |key: &str| AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::LongString(key.into())]));
    let mut headers = FieldTable::default();
    headers.insert("CC".into(), keys("r"));
    headers.insert("BCC".into(), keys("s"));
    let properties = BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions::default();
    soon(channel.basic_publish("".into(), "q".into(), options, b"x", properties)).await.unwrap();
    for name in ["q", "r", "s"] {
        let mut consumer = consumer(&channel, name, name).await;
        let delivery = next(&mut consumer).await;
        let headers = delivery.properties.headers().as_ref().unwrap();
        assert!(headers.contains_key("CC") && !headers.contains_key("BCC"), "{name}");
    }
}

/// The key that leads from one exchange to the next need not be the one that leads from there.
#[tokio::test]
async fn carbon_copies_are_routed_across_exchanges() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    for name in ["outer", "inner"] {
        exchange(&channel, name, ExchangeKind::Direct).await;
    }
    queue(&channel, "q").await;
    bind(&channel, "q", "inner", "copy").await;
    let options = ExchangeBindOptions::default();
    let binding =
        channel.exchange_bind("inner".into(), "outer".into(), "own".into(), options, FieldTable::default());
    soon(binding).await.unwrap();
    confirms(&channel).await;
    for name in ["CC", "BCC"] {
        let keys = FieldArray::from(vec![AMQPValue::LongString("copy".into())]);
        let mut headers = FieldTable::default();
        headers.insert(name.into(), AMQPValue::FieldArray(keys));
        let properties = BasicProperties::default().with_headers(headers);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirm = channel.basic_publish("outer".into(), "own".into(), options, b"x", properties);
        let confirm = soon(soon(confirm).await.unwrap()).await.unwrap();
        assert_eq!(confirm, Confirmation::Ack(None), "{name}");
    }
    assert_eq!(ready(&channel, "q").await, 2);
}
