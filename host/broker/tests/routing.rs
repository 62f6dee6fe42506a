//! Where a message goes: exchanges bound to exchanges, and copies.

use lapin::{
    BasicProperties, Confirmation, ExchangeKind,
    options::{BasicPublishOptions, ExchangeBindOptions, ExchangeDeclareOptions},
    types::{AMQPValue, FieldArray, FieldTable},
};

use crate::support::{
    another, bind, broker, channel, confirms, consumer, exchange, next, publish, queue, ready, refusal, soon,
    table,
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

#[tokio::test]
async fn what_finds_no_way_goes_to_the_alternate_exchange() {
    let broker = broker().await;
    let (connection, channel) = channel(&broker).await;
    let alternate = |name| table(&[("alternate-exchange", name)]);
    let options = ExchangeDeclareOptions::default();
    for (name, other) in [("first", "second"), ("second", "third")] {
        let declared = channel.exchange_declare(name.into(), ExchangeKind::Direct, options, alternate(other));
        soon(declared).await.unwrap();
    }
    for name in ["one", "two", "three"] {
        queue(&channel, name).await;
    }
    bind(&channel, "one", "first", "a").await;
    bind(&channel, "two", "second", "b").await;
    confirms(&channel).await;
    assert_eq!(publish(&channel, "first", "a", "x").await, Confirmation::Ack(None));
    assert_eq!(publish(&channel, "first", "b", "x").await, Confirmation::Ack(None));
    // The last one is not there yet.
    assert!(matches!(publish(&channel, "first", "c", "x").await, Confirmation::Ack(Some(_))));
    exchange(&channel, "third", ExchangeKind::Fanout).await;
    bind(&channel, "three", "third", "").await;
    assert_eq!(publish(&channel, "first", "c", "x").await, Confirmation::Ack(None));
    for name in ["one", "two", "three"] {
        assert_eq!(ready(&channel, name).await, 1, "{name}");
    }

    let channel = another(&connection).await;
    let declared =
        channel.exchange_declare("first".into(), ExchangeKind::Direct, options, alternate("third"));
    let text = "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'first' in vhost '/': \
                received the value 'third' of type 'longstr' but current is the value 'second' of type 'longstr'";
    assert_eq!(refusal(soon(declared).await), (406, text.into()));
}

/// There a key names a queue.
#[tokio::test]
async fn the_default_exchange_may_be_the_alternate_one() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    let options = ExchangeDeclareOptions::default();
    let arguments = table(&[("alternate-exchange", "")]);
    soon(channel.exchange_declare("x".into(), ExchangeKind::Direct, options, arguments)).await.unwrap();
    queue(&channel, "q").await;
    confirms(&channel).await;
    assert_eq!(publish(&channel, "x", "q", "x").await, Confirmation::Ack(None));
    assert!(matches!(publish(&channel, "x", "r", "x").await, Confirmation::Ack(Some(_))));
}

/// Routing with several keys: the key that matches in one exchange need not be the one that matches in the next.
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
