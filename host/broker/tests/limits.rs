//! The limits of a queue: its length, and the time to live of itself and its messages.

use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions},
};

use crate::support::{
    another, broker, channel, confirms, publish, queue, queue_with, ready, refusal, soon, table,
};

mod support;

/// Takes all messages that are ready.
async fn bodies(channel: &Channel, queue: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(got) = soon(channel.basic_get(queue.into(), options)).await.unwrap() {
        bodies.push(String::from_utf8(got.data.clone()).unwrap());
    }
    bodies
}

async fn publish_expiring(channel: &Channel, queue: &str, expiration: &str) {
    let properties = BasicProperties::default().with_expiration(expiration.into());
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish("".into(), queue.into(), options, b"x", properties);
    soon(soon(confirm).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_oldest_make_room_where_length_is_bounded() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    confirms(&channel).await;
    for (queue, argument, most) in [("q", "x-max-length", "3"), ("r", "x-max-length-bytes", "6")] {
        queue_with(&channel, queue, &[(argument, most)]).await;
        for body in ["11", "22", "33", "44", "55"] {
            assert_eq!(publish(&channel, "", queue, body).await, Confirmation::Ack(None));
        }
        assert_eq!(bodies(&channel, queue).await, ["33", "44", "55"], "{argument}");
    }
}

#[tokio::test]
async fn a_full_queue_refuses_where_that_is_asked_for() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    confirms(&channel).await;
    queue_with(&channel, "q", &[("x-max-length", "2"), ("x-overflow", "reject-publish")]).await;
    for body in ["1", "2"] {
        assert_eq!(publish(&channel, "", "q", body).await, Confirmation::Ack(None));
    }
    for _ in 0..2 {
        assert_eq!(publish(&channel, "", "q", "3").await, Confirmation::Nack(None));
    }
    assert_eq!(bodies(&channel, "q").await, ["1", "2"]);
    assert_eq!(publish(&channel, "", "q", "4").await, Confirmation::Ack(None));
}

/// Among many in flight, each message gets its own ack or nack.
#[tokio::test]
async fn each_refusal_is_about_its_own_message() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    confirms(&channel).await;
    queue_with(&channel, "full", &[("x-max-length", "0"), ("x-overflow", "reject-publish")]).await;
    queue(&channel, "q").await;
    let mut pending = Vec::new();
    for n in 0..300 {
        let to = if n % 3 == 0 { "full" } else { "q" };
        let options = BasicPublishOptions::default();
        let confirm = channel.basic_publish("".into(), to.into(), options, b"x", BasicProperties::default());
        pending.push(soon(confirm).await.unwrap());
    }
    for (n, confirm) in pending.into_iter().enumerate() {
        let expected = if n % 3 == 0 { Confirmation::Nack(None) } else { Confirmation::Ack(None) };
        assert_eq!(soon(confirm).await.unwrap(), expected, "{n}");
    }
}

#[tokio::test]
async fn what_may_not_wait_is_gone() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    confirms(&channel).await;
    queue_with(&channel, "q", &[("x-message-ttl", "0")]).await;
    publish(&channel, "", "q", "x").await;
    assert_eq!(ready(&channel, "q").await, 0);
    queue(&channel, "r").await;
    publish_expiring(&channel, "r", "0").await;
    assert_eq!(ready(&channel, "r").await, 0);
    publish_expiring(&channel, "r", "4294967295").await;
    assert_eq!(ready(&channel, "r").await, 1);
}

/// Without a request for the queue: that it is gone shows in messages that cannot be routed.
#[tokio::test]
async fn a_queue_that_nobody_uses_goes() {
    let broker = broker().await;
    let (_connection, channel) = channel(&broker).await;
    confirms(&channel).await;
    queue_with(&channel, "q", &[("x-expires", "50")]).await;
    let gone = async { while publish(&channel, "", "q", "x").await == Confirmation::Ack(None) {} };
    soon(gone).await;
}

#[tokio::test]
async fn arguments_are_compared_and_checked() {
    let broker = broker().await;
    let (connection, setup) = channel(&broker).await;
    queue_with(&setup, "q", &[("x-message-ttl", "60000"), ("x-dead-letter-exchange", "dead")]).await;
    queue_with(&setup, "r", &[("x-unheard-of", "7")]).await;
    for (queue, arguments, reason) in [
        (
            "q",
            &[("x-message-ttl", "60000")][..],
            "inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': \
             received none but current is the value 'dead' of type 'longstr'",
        ),
        (
            "q",
            &[("x-message-ttl", "1"), ("x-dead-letter-exchange", "dead")],
            "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '1' of type \
             'signedint' but current is the value '60000' of type 'signedint'",
        ),
        ("s", &[("x-expires", "0")], "invalid arg 'x-expires' for a queue: expected a number greater than 0"),
        (
            "s",
            &[("x-max-length", "-1")],
            "invalid arg 'x-max-length' for a queue: expected a number that is not negative",
        ),
        (
            "s",
            &[("x-overflow", "burst")],
            "invalid arg 'x-overflow' for a queue: expected 'drop-head' or 'reject-publish'",
        ),
        (
            "s",
            &[("x-dead-letter-routing-key", "k")],
            "invalid arg 'x-dead-letter-routing-key' for queue 's' in vhost '/': \
             there is no x-dead-letter-exchange",
        ),
    ] {
        let channel = another(&connection).await;
        let options = QueueDeclareOptions::default();
        let declared = soon(channel.queue_declare(queue.into(), options, table(arguments))).await;
        assert_eq!(refusal(declared), (406, format!("PRECONDITION_FAILED - {reason}")));
    }
}
