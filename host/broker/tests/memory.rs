//! What counts towards the memory limit, who waits during the alarm, and that the alarm can always end.

use amq_protocol::{
    frame::AMQPFrame,
    protocol::{AMQPClass, connection, queue},
    types::FieldTable,
};
use loghost_broker::{Broker, Options};

use crate::support::{
    broker_with,
    wire::{CLAIMS, Claims, Wire, declare, message, method, raw},
};

mod support;

const MARK: usize = 1_000_000;

async fn small_broker() -> Broker {
    broker_with(Options { memory_high_watermark: MARK, ..Options::default() }).await
}

fn bind(queue: &str) -> AMQPClass {
    AMQPClass::Queue(queue::AMQPMethod::Bind(queue::Bind {
        queue: queue.into(),
        exchange: "amq.fanout".into(),
        routing_key: "".into(),
        nowait: false,
        arguments: FieldTable::default(),
    }))
}

fn delete(queue: &str) -> AMQPClass {
    AMQPClass::Queue(queue::AMQPMethod::Delete(queue::Delete {
        queue: queue.into(),
        if_unused: false,
        if_empty: false,
        nowait: false,
    }))
}

/// `basic.publish` to `amq.fanout`, with nothing in it.
fn to_all() -> Vec<u8> {
    let publish = raw(1, 1, b"\0\x3c\0\x28\0\0\x0aamq.fanout\0\0");
    [publish, raw(2, 1, &[b"\0\x3c\0\0", &[0; 10][..]].concat())].concat()
}

#[tokio::test]
async fn a_message_is_charged_for_the_queues_that_still_have_it() {
    const QUEUES: usize = 200;
    let broker = small_broker().await;
    let mut admin = Wire::open(&broker).await;
    for n in 0..QUEUES {
        let name = format!("q{n}");
        admin.declare(&name).await;
        admin.send_method(1, bind(&name)).await;
        admin.method(1).await;
    }
    let mut publisher = Wire::open(&broker).await;
    publisher.send(&to_all().repeat(1000)).await;
    assert!(matches!(publisher.connection().await, connection::AMQPMethod::Blocked(_)));
    for n in 1..QUEUES {
        admin.send_method(1, delete(&format!("q{n}"))).await;
        admin.method(1).await;
    }
    // It may be blocked again meanwhile, but in the end it gets its reply.
    publisher.send_method(1, declare("q0")).await;
    let declared = loop {
        match publisher.frame().await.expect("an answer") {
            AMQPFrame::Method(0, _) => {}
            AMQPFrame::Method(1, AMQPClass::Queue(queue::AMQPMethod::DeclareOk(ok))) => break ok,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(declared.message_count, 1000);
}

/// With a larger share, the alarm could be on without any message.
#[tokio::test]
async fn queues_and_bindings_may_take_half_of_the_mark() {
    let broker = small_broker().await;
    let mut greedy = Wire::open(&broker).await;
    let all: Vec<_> = (0..2000)
        .flat_map(|n| {
            let name = format!("{n}-{}", "q".repeat(200));
            [method(1, declare(&name)), method(1, bind(&name))]
        })
        .flatten()
        .collect();
    greedy.send(&all).await;
    let mut declared = 0;
    let close = loop {
        match greedy.frame().await.expect("an answer") {
            AMQPFrame::Method(1, _) => declared += 1,
            AMQPFrame::Method(0, AMQPClass::Connection(method)) => break method,
            other => panic!("{other:?}"),
        }
        assert!(declared < 4000, "all were declared and bound");
    };
    let connection::AMQPMethod::Close(close) = close else { panic!("not closed: {close:?}") };
    assert_eq!(close.reply_code, 506);
    assert_eq!(
        close.reply_text.as_str(),
        "RESOURCE_ERROR - exchanges, queues, bindings and consumers may take no more than 500000 bytes together"
    );
    assert!(declared > 500, "only {declared} declared and bound");

    // Existing parts can be used, and deleting one makes room.
    let mut other = Wire::open(&broker).await;
    let name = format!("0-{}", "q".repeat(200));
    other.send(&message(&name, b"x")).await;
    assert_eq!(other.declare(&name).await.message_count, 1);
    other.send_method(1, delete(&name)).await;
    other.method(1).await;
    other.declare("new").await;
}

#[tokio::test]
async fn publishers_wait_while_memory_is_short_and_consumers_do_not() {
    const HIGH: usize = 100_000;
    let broker = broker_with(Options { memory_high_watermark: HIGH, ..Options::default() }).await;
    let mut publisher = Wire::open_with(&broker, &Claims { heartbeat: 1, ..CLAIMS }).await;
    let mut idle = Wire::open(&broker).await;
    publisher.declare("q").await;
    // A client that has published before is told even if it is not publishing.
    idle.send(&message("q", b"first")).await;
    idle.declare("q").await;
    let all: Vec<_> = (0..300).flat_map(|_| message("q", &[7; 1000])).collect();
    publisher.send(&all).await;
    assert!(matches!(publisher.connection().await, connection::AMQPMethod::Blocked(_)));
    assert!(matches!(idle.connection().await, connection::AMQPMethod::Blocked(_)));
    // From here on it is not read, and not disconnected.
    publisher.send_method(1, declare("unread")).await;
    for _ in 0..6 {
        assert_eq!(publisher.frame().await, Some(AMQPFrame::Heartbeat));
    }

    let mut consumer = Wire::open(&broker).await;
    let ready = consumer.declare("q").await.message_count;
    assert!((50..110).contains(&ready), "{ready} messages of 1000 bytes");
    consumer.consume("q").await;
    let mut bodies = 0;
    while bodies < 301 {
        match consumer.frame().await.expect("a delivery") {
            AMQPFrame::Body(..) => {
                bodies += 1;
                // All so far.
                consumer.send(&raw(1, 1, b"\0\x3c\0\x50\0\0\0\0\0\0\0\0\x01")).await;
            }
            AMQPFrame::Method(..) | AMQPFrame::Header(..) => {}
            other => panic!("{other:?}"),
        }
    }
    // It may have been blocked again meanwhile, but in the end it gets its reply.
    let mut is_blocked = true;
    loop {
        match publisher.frame().await.expect("an answer") {
            AMQPFrame::Method(0, AMQPClass::Connection(method)) => {
                assert_eq!(matches!(method, connection::AMQPMethod::Unblocked(_)), is_blocked, "{method:?}");
                is_blocked = !is_blocked;
            }
            AMQPFrame::Method(1, AMQPClass::Queue(queue::AMQPMethod::DeclareOk(_))) => break,
            AMQPFrame::Heartbeat => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(!is_blocked);
}
