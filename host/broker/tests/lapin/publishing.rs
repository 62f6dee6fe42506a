//! Messages that are published arrive, and are confirmed.

use futures_util::future::join_all;
use lapin::{
    BasicProperties, Confirmation, ExchangeKind,
    options::{BasicAckOptions, BasicPublishOptions},
};

use crate::support::{bind, broker, channel, confirms, consumer, exchange, next, publish, queue, soon};

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
