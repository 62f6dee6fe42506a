//! Kinds of queues.

use lapin::{
    options::{BasicNackOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use crate::support::{another, broker, channel, confirms, consumer, next_body, publish, refusal, soon};

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
