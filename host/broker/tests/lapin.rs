//! The broker as lapin sees it.

mod support;

use futures_util::StreamExt;
use lapin::{BasicProperties, options::*, types::FieldTable};

use crate::support::{broker, channel, soon};

#[tokio::test]
async fn smoke() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    channel
        .exchange_declare(
            "logs".into(),
            lapin::ExchangeKind::Topic,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let queue = channel
        .queue_declare("".into(), QueueDeclareOptions::default(), FieldTable::default())
        .await
        .unwrap();
    channel
        .queue_bind(
            queue.name().clone(),
            "logs".into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let confirm = channel
        .basic_publish(
            "logs".into(),
            "web-1".into(),
            BasicPublishOptions::default(),
            b"hello",
            BasicProperties::default(),
        )
        .await
        .unwrap();
    let confirmed = soon(confirm).await.unwrap();
    assert!(confirmed.is_ack());
    let mut consumer = channel
        .basic_consume(
            queue.name().clone(),
            "c".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let delivery = soon(consumer.next()).await.unwrap().unwrap();
    assert_eq!(delivery.data, b"hello");
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    soon(broker.shutdown()).await;
}
