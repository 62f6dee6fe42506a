//! Clients that break the protocol: raw bytes that are malformed, late or missing.

use std::time::{Duration, Instant};

use amq_protocol::{
    frame::AMQPFrame,
    protocol::{AMQPClass, basic, channel, confirm, connection},
};
use loghost_broker::Options;
use tokio::io::AsyncReadExt;

use crate::support::{
    broker, broker_with, soon,
    wire::{CLAIMS, Claims, Wire, header, message, open_channel, publish, raw},
};

mod support;

#[tokio::test]
async fn another_protocol_is_told_which_one_is_spoken() {
    let broker = broker().await;
    for hello in
        [b"AMQP\x01\x01\x08\0", b"AMQP\x01\x01\0\x09", b"AMQP\0\0\x09\0", b"AMQP\x03\x01\0\0", b"GET / HT"]
    {
        let mut wire = Wire::connect(&broker).await;
        wire.send(hello).await;
        let mut answer = Vec::new();
        soon(wire.socket.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer, b"AMQP\0\0\x09\x01");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_as_the_client_can_take_it() {
    let broker = broker().await;
    let mut wire = Wire::connect(&broker).await;
    wire.start_ok(&Claims { response: "\0guest\0wrong", ..CLAIMS }).await;
    assert_eq!(wire.closed().await, 403);

    let mut wire = Wire::connect(&broker).await;
    wire.start_ok(&Claims { response: "\0guest\0wrong", capabilities: &[], ..CLAIMS }).await;
    assert_eq!(wire.frame().await, None);
}

/// The first choice of php-amqplib, among others.
#[tokio::test]
async fn a_client_may_log_in_with_amqplain() {
    let broker = broker().await;
    let amqplain = Claims { mechanism: "AMQPLAIN", ..CLAIMS };
    let response = "\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest";
    Wire::open_with(&broker, &Claims { response, ..amqplain }).await;
    for response in [
        "\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05wrong",
        "\x05LOGINS\0\0\0\x05guest",
        "\x05LOGINS\0\0\0\x05gu",
        "\x05LOGINI\0\0\0\x05\x08PASSWORDS\0\0\0\x05guest",
        "",
    ] {
        let mut wire = Wire::connect(&broker).await;
        wire.start_ok(&Claims { response, ..amqplain }).await;
        assert_eq!(wire.closed().await, 403, "{response:?}");
    }
}

#[tokio::test]
async fn what_was_not_offered_cannot_be_agreed_upon() {
    let broker = broker().await;
    for claims in [
        Claims { virtual_host: "other", ..CLAIMS },
        Claims { frame_max: 0, ..CLAIMS },
        Claims { frame_max: 131_073, ..CLAIMS },
        Claims { frame_max: 4095, ..CLAIMS },
    ] {
        let mut wire = Wire::connect(&broker).await;
        wire.perform_handshake(&claims).await;
        assert_eq!(wire.closed().await, 530);
    }
}

#[tokio::test]
async fn the_handshake_has_an_order() {
    let broker = broker().await;
    let mut wire = Wire::connect(&broker).await;
    wire.send(b"AMQP\0\0\x09\x01").await;
    wire.connection().await;
    let open = connection::Open { virtual_host: "/".into() };
    wire.send_connection(connection::AMQPMethod::Open(open)).await;
    assert_eq!(wire.closed().await, 503);
}

/// Larger frames are not accepted before they are negotiated.
#[tokio::test]
async fn frames_larger_than_4096_octets_wait_for_the_tuning() {
    let broker = broker().await;
    let mut wire = Wire::connect(&broker).await;
    wire.send(b"AMQP\0\0\x09\x01").await;
    wire.connection().await;
    // A payload of 4089 octets, and 8 around it.
    wire.send(&[1, 0, 0, 0, 0, 0x0f, 0xf9]).await;
    assert_eq!(wire.closed().await, 501);
}

#[tokio::test]
async fn names_are_declared_without_their_line_breaks() {
    let broker = broker().await;
    let mut wire = Wire::open(&broker).await;
    assert_eq!(wire.declare("a\r\nb\n").await.queue.as_str(), "ab");
    wire.send(&message("ab", b"x")).await;
    assert_eq!(wire.declare("ab").await.message_count, 1);
}

/// Bytes on an open connection with channel 1, and the code that closes it.
#[tokio::test]
async fn connections_are_closed_with_the_code_of_the_specification() {
    let broker = broker().await;
    let wrong_end = [1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 10, 0];
    let too_large = [3, 0, 1, 0, 0, 0x10, 0];
    let deep = deeply_nested();
    let cases: &[(&str, Vec<u8>, u16)] = &[
        ("wrong frame end", wrong_end.to_vec(), 501),
        ("frame larger than agreed", too_large.to_vec(), 501),
        ("unknown frame type", raw(9, 1, b""), 501),
        ("heartbeat on a channel", raw(8, 1, b""), 505),
        ("arguments cut short", raw(1, 1, b"\0\x32\0\x0a\0"), 501),
        ("arguments too long", raw(1, 1, b"\0\x3c\0\x6e\0\0\0"), 501),
        ("tables in tables without end", raw(1, 1, &deep), 502),
        ("a queue name that is not UTF-8", raw(1, 1, b"\0\x32\0\x1e\0\0\x01\xff\0"), 501),
        ("unknown method", raw(1, 1, b"\0\x3c\0\x63"), 540),
        ("unknown class", raw(1, 1, b"\0\x63\0\x0a"), 540),
        ("prefetch size", raw(1, 1, b"\0\x3c\0\x0a\0\0\0\x09\0\0\0"), 540),
        ("flow stopped", raw(1, 1, b"\0\x14\0\x14\0"), 540),
        ("immediate", raw(1, 1, b"\0\x3c\0\x28\0\0\0\x01k\x02"), 540),
        ("a method for clients", raw(1, 1, b"\0\x3c\0\x48\0"), 503),
        ("a channel's method on channel 0", raw(1, 0, b"\0\x3c\0\x6e\x01"), 503),
        ("content on channel 0", raw(3, 0, b"x"), 505),
        ("a channel that is not open", raw(1, 2, b"\0\x3c\0\x6e\x01"), 504),
        ("content on a channel that is not open", raw(3, 2, b"x"), 504),
        ("a channel that is open", raw(1, 1, b"\0\x14\0\x0a\0"), 504),
        ("a channel beyond the maximum", raw(1, 2048, b"\0\x14\0\x0a\0"), 530),
        ("a body out of nowhere", raw(3, 1, b"x"), 505),
        ("a header out of nowhere", header(60, 1, &[0, 0]), 505),
        ("a method instead of content", [publish("k"), publish("k")].concat(), 505),
        ("a header of another class", [publish("k"), header(50, 1, &[0, 0])].concat(), 505),
        ("a body before its header", [publish("k"), raw(3, 1, b"x")].concat(), 505),
        ("properties cut short", [publish("k"), header(60, 1, &[0x80, 0])].concat(), 501),
        (
            "a body larger than announced",
            [publish("k"), header(60, 1, &[0, 0]), raw(3, 1, b"xy")].concat(),
            501,
        ),
    ];
    for (what, bytes, code) in cases {
        let mut wire = Wire::open(&broker).await;
        wire.send(bytes).await;
        assert_eq!(wire.closed().await, *code, "{what}");
    }
}

/// `queue.declare` with arrays in arrays as deep as a frame allows.
fn deeply_nested() -> Vec<u8> {
    let mut value = vec![b'V'];
    while value.len() < 4000 {
        let size = u32::try_from(value.len()).unwrap().to_be_bytes();
        value = [&[b'A'][..], &size, &value].concat();
    }
    let size = u32::try_from(value.len() + 2).unwrap().to_be_bytes();
    [&b"\0\x32\0\x0a\0\0\x01q\0"[..], &size, b"\x01k", &value].concat()
}

#[tokio::test]
async fn channels_are_closed_with_the_code_of_the_specification() {
    let broker = broker_with(Options { max_message_size: 10, ..Options::default() }).await;
    let elsewhere = raw(1, 1, b"\0\x3c\0\x28\0\0\x04none\x01k\0");
    let cases: &[(&str, Vec<u8>, u16)] = &[
        (
            "an exchange that does not exist",
            [elsewhere, header(60, 1, &[0, 0]), raw(3, 1, b"x")].concat(),
            404,
        ),
        ("a message too large", [publish("k"), header(60, 11, &[0, 0])].concat(), 406),
        ("somebody else's user id", [publish("k"), header(60, 1, b"\0\x10\x04root")].concat(), 406),
        ("an expiration that is no number", [publish("k"), header(60, 1, b"\x01\0\x02-1")].concat(), 406),
        ("an unknown delivery tag", raw(1, 1, b"\0\x3c\0\x50\0\0\0\0\0\0\0\x07\0"), 406),
        ("a queue that does not exist", raw(1, 1, b"\0\x32\0\x1e\0\0\x01q\0"), 404),
    ];
    for (what, bytes, code) in cases {
        let mut wire = Wire::open(&broker).await;
        wire.send(bytes).await;
        assert_eq!(wire.channel_closed().await, *code, "{what}");
        // Until the client confirms the close, what it sends on the channel is discarded, even if it is malformed.
        wire.send(&raw(3, 1, b"late")).await;
        wire.send(&raw(1, 1, b"\0\x3c\0\x63")).await;
        let ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
        wire.send_method(1, AMQPClass::Channel(ok)).await;
        wire.send_method(1, open_channel()).await;
        assert!(matches!(wire.method(1).await, AMQPClass::Channel(channel::AMQPMethod::OpenOk(_))), "{what}");
    }
}

#[tokio::test]
async fn one_confirm_is_for_all_that_came_at_once() {
    let broker = broker().await;
    let mut wire = Wire::open(&broker).await;
    wire.declare("q").await;
    let select = confirm::AMQPMethod::Select(confirm::Select { nowait: true });
    wire.send_method(1, AMQPClass::Confirm(select)).await;
    let all: Vec<_> = (0..100).flat_map(|_| message("q", b"x")).collect();
    wire.send(&all).await;
    let mut confirmed = 0;
    let mut acks = 0;
    while confirmed < 100 {
        let AMQPClass::Basic(basic::AMQPMethod::Ack(ack)) = wire.method(1).await else {
            panic!("not confirmed");
        };
        assert_eq!(ack.multiple, ack.delivery_tag > confirmed + 1);
        assert!(ack.delivery_tag > confirmed);
        confirmed = ack.delivery_tag;
        acks += 1;
    }
    assert!(acks < 50, "{acks} acknowledgements for 100 messages");
}

#[tokio::test]
async fn a_silent_client_is_dropped_and_a_live_one_gets_heartbeats() {
    let broker = broker().await;
    let begun = Instant::now();
    let mut wire = Wire::open_with(&broker, &Claims { heartbeat: 1, ..CLAIMS }).await;
    let mut beats = 0;
    while let Some(frame) = wire.frame().await {
        assert_eq!(frame, AMQPFrame::Heartbeat);
        beats += 1;
        // Two intervals of silence are counted from here.
        if beats == 1 {
            wire.send_frame(AMQPFrame::Heartbeat).await;
        }
    }
    // The time itself is what is tested.
    assert!(beats >= 2, "{beats} heartbeats");
    assert!(begun.elapsed() >= Duration::from_secs(2), "dropped after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_closed_connection_says_goodbye() {
    let broker = broker().await;
    let mut wire = Wire::open(&broker).await;
    let close = connection::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 };
    wire.send_connection(connection::AMQPMethod::Close(close)).await;
    assert!(matches!(wire.connection().await, connection::AMQPMethod::CloseOk(_)));
    assert_eq!(wire.frame().await, None);
}

#[tokio::test]
async fn shutting_down_forces_connections_to_close() {
    let broker = broker().await;
    let wire = Wire::open(&broker).await;
    let closed = tokio::spawn(wire.closed());
    soon(broker.shutdown()).await;
    assert_eq!(soon(closed).await.unwrap(), 320);
}
