//! Who is given what, and what is given again.

use futures_util::StreamExt;
use lapin::{
    options::{
        BasicAckOptions, BasicCancelOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
        BasicRecoverOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
    },
    types::{AMQPValue, FieldTable},
};

use crate::support::{broker, channel, confirms, consumer, next, next_body, publish, queue, ready, soon};

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
async fn requeued_messages_return_to_their_position() {
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
