//! Flow control: a client is read even if it does not read its deliveries, what is written for it is bounded, and no
//! client waits for one that is gone.

use std::time::Duration;

use amq_protocol::{
    frame::AMQPFrame,
    protocol::{AMQPClass, basic, connection, queue},
};
use loghost_broker::Options;
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::support::{
    broker, broker_with, soon,
    wire::{CLAIMS, Claims, Wire, bytes, consume, declare, message, method, raw},
};

mod support;

/// Of a client that sends and receives large bodies in one frame.
const LARGE_FRAMES: Claims = Claims { frame_max: 131_072, ..CLAIMS };

/// `basic.ack` of one delivery.
fn ack(delivery_tag: u64) -> Vec<u8> {
    raw(1, 1, &[b"\0\x3c\0\x50", &delivery_tag.to_be_bytes()[..], b"\0"].concat())
}

/// It does not read while it writes, as most clients with blocking sockets.
#[tokio::test]
async fn a_forwarder_without_a_prefetch_goes_through_its_queue() {
    const MESSAGES: u64 = 3000;
    let broker = broker().await;
    let body = [7; 10_000];
    let mut forwarder = Wire::open_with(&broker, &LARGE_FRAMES).await;
    forwarder.declare("from").await;
    forwarder.declare("to").await;
    let mut publisher = Wire::open_with(&broker, &LARGE_FRAMES).await;
    for _ in 0..MESSAGES {
        publisher.send(&message("from", &body)).await;
    }
    publisher.declare("from").await;

    forwarder.consume("from").await;
    for delivery_tag in 1..=MESSAGES {
        while !matches!(forwarder.frame().await, Some(AMQPFrame::Body(..))) {}
        forwarder.send(&[message("to", &body), ack(delivery_tag)].concat()).await;
    }
    assert_eq!(u64::from(forwarder.declare("to").await.message_count), MESSAGES);
}

#[tokio::test]
async fn a_publisher_is_read_whatever_it_has_not_read() {
    const MESSAGES: u32 = 6000;
    let broker = broker().await;
    let body = [7; 10_000];
    let mut wire = Wire::open_with(&broker, &LARGE_FRAMES).await;
    wire.declare("own").await;
    wire.declare("other").await;
    wire.consume("own").await;
    for _ in 0..MESSAGES {
        wire.send(&[message("own", &body), message("other", &body)].concat()).await;
    }
    let mut onlooker = Wire::open(&broker).await;
    // The broker has read all of its messages when another client sees the last one.
    while onlooker.declare("other").await.message_count < MESSAGES {}
}

#[tokio::test]
async fn a_consumer_that_cancels_is_given_no_more() {
    const MESSAGES: usize = 5000;
    let broker = broker().await;
    let mut publisher = Wire::open(&broker).await;
    publisher.declare("q").await;
    publisher.send(&message("q", &[7; 1000]).repeat(MESSAGES)).await;
    publisher.declare("q").await;

    let mut consumer = Wire::open(&broker).await;
    let cancel = basic::Cancel { consumer_tag: "c".into(), nowait: false };
    let asked = [
        method(
            1,
            AMQPClass::Basic(basic::AMQPMethod::Consume(basic::Consume { no_ack: true, ..consume("q") })),
        ),
        method(1, AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel))),
    ];
    consumer.send(&asked.concat()).await;
    let mut given = 0;
    loop {
        match consumer.frame().await.expect("deliveries, and the end of them") {
            AMQPFrame::Body(..) => given += 1,
            AMQPFrame::Method(1, AMQPClass::Basic(basic::AMQPMethod::CancelOk(_))) => break,
            AMQPFrame::Method(..) | AMQPFrame::Header(..) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(given < 1000, "{given} of {MESSAGES} deliveries to a consumer that has cancelled");
    let left = publisher.declare("q").await.message_count;
    assert_eq!(given + usize::try_from(left).unwrap(), MESSAGES);
}

/// After two heartbeat intervals without a frame it is disconnected, and its deliveries go to another client.
#[tokio::test]
async fn a_client_that_falls_silent_is_dropped_whatever_waits_to_be_written() {
    const MESSAGES: usize = 100;
    let broker = broker().await;
    let mut publisher = Wire::open(&broker).await;
    publisher.declare("q").await;
    publisher.send(&message("q", &[7; 1000]).repeat(MESSAGES)).await;
    publisher.declare("q").await;

    let mut silent = Wire::open_with(&broker, &Claims { heartbeat: 1, ..CLAIMS }).await;
    silent.consume("q").await;
    // It requests more than it reads the replies of, and then stops: the last of its requests are never sent.
    let asked = method(1, declare(&"q".repeat(255))).repeat(150_000);
    let silent = tokio::spawn(async move {
        let _ = silent.socket.write_all(&asked).await;
        silent
    });

    let mut successor = Wire::open(&broker).await;
    successor.consume("q").await;
    let mut inherited = 0;
    while inherited < MESSAGES {
        inherited += usize::from(matches!(successor.frame().await, Some(AMQPFrame::Body(..))));
    }
    drop(soon(silent).await);
}

/// Its exclusive queue uses the memory: when the queue is gone, others go on.
#[tokio::test]
async fn a_publisher_that_hangs_up_while_it_is_held_back_holds_nobody_back() {
    let broker = broker_with(Options { memory_high_watermark: 100_000, ..Options::default() }).await;
    let mut other = Wire::open(&broker).await;
    other.declare("q").await;
    other.send(&message("q", b"first")).await;
    other.declare("q").await;
    let mut publisher = Wire::open(&broker).await;
    let AMQPClass::Queue(queue::AMQPMethod::Declare(own)) = declare("own") else { unreachable!() };
    let own = queue::Declare { exclusive: true, ..own };
    publisher.send_method(1, AMQPClass::Queue(queue::AMQPMethod::Declare(own))).await;
    publisher.method(1).await;
    publisher.send(&message("own", &[7; 1000]).repeat(200)).await;
    assert!(matches!(publisher.connection().await, connection::AMQPMethod::Blocked(_)));
    // Bytes that are not read precede the end of its connection.
    drop(publisher);

    assert!(matches!(other.connection().await, connection::AMQPMethod::Blocked(_)));
    assert!(matches!(other.connection().await, connection::AMQPMethod::Unblocked(_)));
    assert_eq!(other.declare("q").await.message_count, 1);
}

#[tokio::test]
async fn queues_of_a_connection_take_turns() {
    const MESSAGES: usize = 2000;
    let broker = broker().await;
    let mut wire = Wire::open(&broker).await;
    for queue in ["q", "r"] {
        wire.declare(queue).await;
        wire.send(&message(queue, &[7; 4000]).repeat(MESSAGES)).await;
    }
    wire.declare("r").await;
    let mut consumer = Wire::open(&broker).await;
    for queue in ["q", "r"] {
        let consume = basic::Consume { consumer_tag: queue.into(), no_ack: true, ..consume(queue) };
        consumer.send_method(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume))).await;
    }
    let mut from_q = 0;
    let mut from_r = 0;
    while from_q + from_r < MESSAGES {
        if let Some(AMQPFrame::Method(1, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver)))) =
            consumer.frame().await
        {
            *(if deliver.consumer_tag.as_str() == "q" { &mut from_q } else { &mut from_r }) += 1;
        }
    }
    // In turns of as much as an outbox holds.
    assert!(from_r > MESSAGES / 4, "{from_q} of the one queue and {from_r} of the other");
}

/// The consumers of a channel use a shared prefetch in turn.
#[tokio::test]
async fn queues_that_share_a_prefetch_take_turns() {
    let broker = broker().await;
    let mut wire = Wire::open(&broker).await;
    let qos = basic::Qos { prefetch_count: 1, global: true };
    wire.send_method(1, AMQPClass::Basic(basic::AMQPMethod::Qos(qos))).await;
    wire.method(1).await;
    for queue in ["q", "r"] {
        wire.declare(queue).await;
        wire.send(&message(queue, queue.as_bytes()).repeat(40)).await;
    }
    wire.declare("r").await;
    for queue in ["q", "r"] {
        let consume = basic::Consume { consumer_tag: queue.into(), nowait: true, ..consume(queue) };
        wire.send_method(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume))).await;
    }
    let mut from_q = 0;
    for delivery_tag in 1..=40 {
        let body = loop {
            if let Some(AMQPFrame::Body(_, body)) = wire.frame().await {
                break body;
            }
        };
        from_q += usize::from(body == b"q");
        wire.send(&ack(delivery_tag)).await;
    }
    assert!((19..=21).contains(&from_q), "{from_q} of 40 from the first queue");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_buffered_for() {
    let broker = broker().await;
    let mut publisher = Wire::open(&broker).await;
    publisher.declare("q").await;
    let mut slow = Wire::open(&broker).await;
    slow.consume("q").await;
    let body = vec![7; 4000];
    let all: Vec<_> = (0..10_000).flat_map(|_| message("q", &body)).collect();
    publisher.send(&all).await;
    // Sockets take some megabytes of the forty, and the broker one.
    let ready = publisher.declare("q").await.message_count;
    assert!(ready > 5000, "only {ready} of 10000 messages stayed in the queue");
    let mut received = 0;
    while received < 10_000 {
        received += usize::from(matches!(slow.frame().await, Some(AMQPFrame::Body(..))));
    }
}

#[tokio::test]
async fn a_client_that_asks_and_does_not_read_is_not_answered_without_end() {
    const MOST: usize = 40_000_000;
    let broker = broker().await;
    let mut wire = Wire::open(&broker).await;
    let name = "q".repeat(255);
    let asked = bytes(&AMQPFrame::Method(1, declare(&name))).repeat(1000);
    let mut sent = 0;
    // There is no event for the absence of progress: there was none for a second.
    while let Ok(written) = timeout(Duration::from_secs(1), wire.socket.write_all(&asked)).await {
        written.unwrap();
        sent += asked.len();
        assert!(sent < MOST, "questions are read whose answers find no room");
    }
    // Others are served, and so is this one when it reads.
    Wire::open(&broker).await.declare("r").await;
    for _ in 0..1000 {
        assert!(matches!(wire.method(1).await, AMQPClass::Queue(queue::AMQPMethod::DeclareOk(_))));
    }
}
