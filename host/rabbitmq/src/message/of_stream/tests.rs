//! What is read of a message is what is read of the message that it is through AMQP 0-9-1.

use lapin::message::Delivery;
use loghost_stream::testing::{Amqp, MessageBuilder};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::Prefix;

/// The indices of properties (AMQP 1.0, part 3, section 3.2.4).
const MESSAGE_ID: usize = 0;
const CREATION_TIME: usize = 9;
const GROUP_ID: usize = 10;

fn value() -> impl Strategy<Value = Amqp> {
    prop_oneof![
        Just(Amqp::Null),
        any::<bool>().prop_map(Amqp::Bool),
        any::<u8>().prop_map(Amqp::Ubyte),
        any::<i32>().prop_map(Amqp::Int),
        any::<i64>().prop_map(Amqp::Long),
        any::<u64>().prop_map(Amqp::Ulong),
        any::<i64>().prop_map(Amqp::Timestamp),
        "[a-z0-9 ]{0,20}".prop_map(Amqp::String),
        vec(any::<u8>(), 0..9).prop_map(Amqp::Binary),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,8}",
        1 => prop_oneof![Just("timestamp_in_ms"), Just("loghost-hops"), Just("x-death"), Just("CC")].prop_map(str::to_owned),
    ]
}

/// The record that it is through AMQP 0-9-1.
fn through_amqp(bytes: &[u8], stream: &Arc<str>, names: &Names, decode: Decode) -> Option<Record> {
    let Published { exchange, routing_key, properties, data } = StreamOriginal::new(stream, bytes).publish();
    let mut message = Delivery::mock(1, exchange, routing_key, false, data);
    message.properties = properties;
    record::record(&message, names, Timestamp::from_millis(7), decode)
}

proptest! {
    #[test]
    fn both_ways_give_the_same_record(
        exchange in option::of(prop_oneof![Just("logs.error"), Just("logs.info"), Just("other"), Just("")]),
        routing_key in option::of(prop_oneof![Just("db.1"), Just(""), Just("logs.error")]),
        annotations in btree_map("x-[a-z]{1,5}", value(), 0..3),
        id in option::of("[a-z:/0-9]{0,300}"),
        time in option::of(any::<i64>()),
        group in option::of("[a-z]{0,9}"),
        application in btree_map(key(), value(), 0..5),
        body in vec(vec(any::<u8>(), 0..20), 0..3),
        attributes in any::<bool>(),
    ) {
        let mut message = MessageBuilder::new();
        for (name, given) in [(EXCHANGE, exchange), (ROUTING_KEY, routing_key)] {
            if let Some(given) = given {
                message = message.annotation(name, given);
            }
        }
        for (key, value) in annotations {
            message = message.annotation(&key, value);
        }
        if let Some(id) = &id {
            message = message.property(MESSAGE_ID, id.as_str());
        }
        if let Some(time) = time {
            message = message.property(CREATION_TIME, Amqp::Timestamp(time));
        }
        if let Some(group) = &group {
            message = message.property(GROUP_ID, group.as_str());
        }
        for (key, value) in application {
            message = message.application(&key, value);
        }
        for section in &body {
            message = message.data(section);
        }
        let (bytes, stream, names) = (message.encode(), Arc::from("logs.error"), Names::new(Prefix::default()));
        let decode = Decode { message: true, attributes, traces: TracesRead::All };
        let read = StreamMessage::parse(&bytes, &stream).expect("a message");
        let direct = read.record(&names, Timestamp::from_millis(7), decode).ok();
        prop_assert_eq!(direct, through_amqp(&bytes, &stream, &names, decode));
    }
}

#[test]
fn a_message_of_the_stream_protocol_has_the_source_of_its_group() {
    let bytes = MessageBuilder::new().property(GROUP_ID, "py").data(b"a ").data(b"text").encode();
    let (stream, names) = (Arc::from("logs.error"), Names::new(Prefix::default()));
    let message = StreamMessage::parse(&bytes, &stream).expect("a message");
    assert_eq!(message.routing_key(), "");
    let decode = Decode { message: true, attributes: true, traces: TracesRead::All };
    let record = message.record(&names, Timestamp::from_millis(7), decode).expect("a log");
    assert_eq!((&*record.source, &*record.message, record.unkeyed), ("py", "a text", true));
}

#[test]
fn other_bodies_than_text_are_no_logs_and_kept_as_they_are() {
    let (stream, names) = (Arc::from("logs.error"), Names::new(Prefix::default()));
    let decode = Decode { message: false, attributes: false, traces: TracesRead::None };
    for (body, is_log) in [(Amqp::from("text"), true), (Amqp::List(vec![]), false), (Amqp::Int(1), false)] {
        let bytes = MessageBuilder::new().value(body).encode();
        let message = StreamMessage::parse(&bytes, &stream).expect("a message");
        assert_eq!(message.record(&names, Timestamp::from_millis(7), decode).is_ok(), is_log);
        let published = StreamOriginal::new(&stream, &bytes).publish();
        assert_eq!(published.data, if is_log { b"text".to_vec() } else { bytes.clone() });
        // Where a rule says how to read it, it is read as RabbitMQ hands it over.
        let (properties, body) = message.content().expect("a body");
        let kind = properties.kind().as_ref().map(ShortString::as_str);
        assert_eq!((kind, &*body), if is_log { (None, &b"text"[..]) } else { (Some("amqp-1.0"), &*bytes) });
    }
    let published = StreamOriginal::new(&stream, b"no message").publish();
    assert_eq!((published.exchange.as_str(), &*published.data), ("logs.error", &b"no message"[..]));
}
