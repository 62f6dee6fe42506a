//! AMQP 1.0 messages.

use loghost_stream::testing::{Amqp, MessageBuilder, Width, log};
use loghost_stream::{Body, MAX_DEPTH, Message, MessageError, MessageId, Problem, Value};

/// A value out of a message whose body it is.
fn value(bytes: &[u8]) -> Result<Amqp, MessageError> {
    let message = [b"\0\x53\x77", bytes].concat();
    match Message::parse(&message)?.body()? {
        Body::Value(value) => Amqp::of(value),
        other => panic!("{other:?}"),
    }
}

/// What is wrong with a value, and where in the message: 3 bytes are in front of it.
#[track_caller]
fn wrong(bytes: &[u8]) -> (usize, Problem) {
    let error = value(bytes).expect_err("a value that cannot be read");
    (error.at - 3, error.problem)
}

#[test]
fn a_log_as_the_broker_stores_it_is_read() -> Result<(), MessageError> {
    let bytes = log(17);
    let message = Message::parse(&bytes)?;
    assert_eq!(message.header()?.get(0)?, Some(Value::Bool(true)));
    assert_eq!(message.annotation_text("x-exchange")?.expect("there"), "logs.error");
    assert_eq!(message.annotation_text("x-routing-key")?.expect("there"), "shop.payment.card");
    assert_eq!(message.annotation("x-other")?, None);
    assert_eq!(message.message_annotations()?.len(), 2);
    let properties = message.properties()?;
    let Some(MessageId::String(id)) = properties.message_id()? else { panic!("{properties:?}") };
    assert_eq!(id, "2f6a51c0b7de4d0b8a34-error-shop.payment.card-17");
    assert_eq!(properties.creation_time()?, Some(1_790_000_000_000));
    assert_eq!(properties.content_type()?.expect("there"), "text/plain");
    assert_eq!(properties.group_id()?.expect("there"), "shop");
    assert_eq!((properties.correlation_id()?, properties.reply_to_group_id()?), (None, None));
    let application = message.application_properties()?;
    assert_eq!(application.get("timestamp_in_ms")?, Some(Value::Long(1_790_000_000_017)));
    let keys: Result<Vec<Amqp>, _> = application.iter().map(|pair| Amqp::of(pair?.0)).collect();
    assert_eq!(keys?, ["timestamp_in_ms", "host", "trace"].map(Amqp::from));
    let Body::Data(data) = message.body()? else { panic!("no data") };
    assert_eq!(data.bytes(), &[b'.'; 120][..]);
    assert!(message.delivery_annotations()?.is_empty() && message.footer()?.is_empty());
    Ok(())
}

#[test]
fn every_property_has_its_index() -> Result<(), MessageError> {
    let message = MessageBuilder::new()
        .property(0, Amqp::Ulong(7))
        .property(1, Amqp::Binary(b"guest".to_vec()))
        .property(2, "to")
        .property(3, "subject")
        .property(4, "reply-to")
        .property(5, Amqp::Uuid([9; 16]))
        .property(6, Amqp::Symbol("text/plain".into()))
        .property(7, Amqp::Symbol("gzip".into()))
        .property(8, Amqp::Timestamp(8))
        .property(9, Amqp::Timestamp(-9))
        .property(10, "group")
        .property(11, Amqp::Uint(11))
        .property(12, "reply");
    for bytes in [message.encode(), message.wide().encode()] {
        let message = Message::parse(&bytes)?;
        let properties = message.properties()?;
        assert_eq!(properties.message_id()?, Some(MessageId::Ulong(7)));
        assert_eq!(properties.user_id()?, Some(&b"guest"[..]));
        assert_eq!(properties.to()?.expect("there"), "to");
        assert_eq!(properties.subject()?.expect("there"), "subject");
        assert_eq!(properties.reply_to()?.expect("there"), "reply-to");
        assert_eq!(properties.correlation_id()?, Some(MessageId::Uuid([9; 16])));
        assert_eq!(properties.content_type()?.expect("there"), "text/plain");
        assert_eq!(properties.content_encoding()?.expect("there"), "gzip");
        assert_eq!(properties.absolute_expiry_time()?, Some(8));
        assert_eq!(properties.creation_time()?, Some(-9));
        assert_eq!(properties.group_id()?.expect("there"), "group");
        assert_eq!(properties.group_sequence()?, Some(11));
        assert_eq!(properties.reply_to_group_id()?.expect("there"), "reply");
    }
    Ok(())
}

#[test]
fn properties_of_other_types_are_told() {
    let bytes = MessageBuilder::new().property(0, Amqp::Bool(true)).property(9, "today").encode();
    let properties = Message::parse(&bytes).and_then(|message| message.properties()).expect("a list");
    let id = properties.message_id().expect_err("no id");
    assert_eq!(id.problem, Problem::Unexpected { expected: "a message id", code: 0x41 });
    let time = properties.creation_time().expect_err("no time");
    assert_eq!(time.to_string(), "a value of type 0xa1 instead of a timestamp, at byte 17 of the message");
    assert_eq!(properties.group_id(), Ok(None));
}

#[test]
fn bodies_are_data_sequences_or_a_value() -> Result<(), MessageError> {
    let bytes = MessageBuilder::new().data(b"one").data(b"").data(b"two").encode();
    let Body::Data(data) = Message::parse(&bytes)?.body()? else { panic!("no data") };
    assert_eq!(data.clone().collect::<Vec<_>>(), [&b"one"[..], b"", b"two"]);
    assert_eq!(data.bytes(), &b"onetwo"[..]);

    let bytes = MessageBuilder::new().sequence(vec![Amqp::Null]).sequence(vec![]).wide().encode();
    let Body::Sequence(lists) = Message::parse(&bytes)?.body()? else { panic!("no sequence") };
    assert_eq!(lists.map(|list| list.len()).collect::<Vec<_>>(), [1, 0]);
    let header = MessageBuilder::new().property(0, "id");
    let with_header = header.sequence(vec![Amqp::Null]).sequence(vec![]).wide().encode();
    assert_eq!(Message::parse(&with_header)?.encoded_body(), bytes);

    let bytes = MessageBuilder::new().value("text").encode();
    assert_eq!(Amqp::of(value_of(&bytes)?)?, "text".into());
    assert_eq!(Message::parse(b"")?.body()?, Body::Empty);
    assert_eq!(Message::parse(b"")?.encoded_body(), b"");
    Ok(())
}

fn value_of(bytes: &[u8]) -> Result<Value<'_>, MessageError> {
    match Message::parse(bytes)?.body()? {
        Body::Value(value) => Ok(value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sections_may_have_long_descriptors_and_names() -> Result<(), MessageError> {
    let name = b"amqp:data:binary";
    let named = [&b"\0\xa3\x10"[..], name, b"\xa0\x02hi"].concat();
    let named_long = [&b"\0\xb3\0\0\0\x10"[..], name, b"\xb0\0\0\0\x02hi"].concat();
    let long = b"\0\x80\0\0\0\0\0\0\0\x75\xa0\x02hi".to_vec();
    for bytes in [named, named_long, long] {
        let Body::Data(data) = Message::parse(&bytes)?.body()? else { panic!("no data") };
        assert_eq!(data.bytes(), &b"hi"[..]);
    }
    Ok(())
}

#[test]
fn what_is_no_message_is_refused() {
    let refused = |bytes: &[u8]| {
        Message::parse(bytes).map_err(|error| (error.at, error.problem)).expect_err("no message")
    };
    assert_eq!(refused(b"text"), (0, Problem::Section));
    assert_eq!(refused(b"\0\x53\x79\x45"), (0, Problem::Section));
    assert_eq!(refused(b"\0\x53\x70\x45\0\x53\x70\x45"), (4, Problem::Repeated));
    assert_eq!(refused(b"\0\x53\x77\x40\0\x53\x77\x40"), (4, Problem::SecondBody));
    assert_eq!(refused(b"\0\x53\x75\xa0\0\0\x53\x77\x40"), (5, Problem::SecondBody));
    assert_eq!(refused(b"\0\x53\x75\xa0\0\0\x53\x70\x45\0\x53\x75\xa0\0"), (9, Problem::SecondBody));
    assert_eq!(refused(b"\0\x53\x75\x40"), (4, Problem::Unexpected { expected: "binary", code: 0x40 }));
    assert_eq!(refused(b"\0\x53\x76\x40"), (4, Problem::Unexpected { expected: "a list", code: 0x40 }));
    assert_eq!(refused(b"\0\x53\x75\xa0\x05hi"), (5, Problem::Truncated { needed: 5, left: 2 }));
    assert_eq!(
        refused(b"\0\x53\x75\xb0\xff\xff\xff\xffhi"),
        (8, Problem::Truncated { needed: 0xffff_ffff, left: 2 })
    );
    assert_eq!(refused(b"\0\x53\x75"), (3, Problem::Truncated { needed: 1, left: 0 }));
    assert_eq!(refused(b"\0\x53\x75\x13"), (4, Problem::Type(0x13)));
}

/// Damage in a section that nobody looks at does not hinder.
#[test]
fn sections_that_nobody_looks_at_are_stepped_over() -> Result<(), MessageError> {
    let damaged =
        [b"\0\x53\x74\xc1\x03\xff\x01\x02", &MessageBuilder::new().data(b"hi").encode()[..]].concat();
    let message = Message::parse(&damaged)?;
    assert!(matches!(message.body()?, Body::Data(_)));
    let error = message.application_properties().expect_err("damaged");
    assert_eq!(error.problem, Problem::Count { count: 255, size: 2 });
    Ok(())
}

#[test]
fn all_types_are_read_in_each_form() {
    let values = vec![
        Amqp::Null,
        Amqp::Bool(true),
        Amqp::Bool(false),
        Amqp::Ubyte(255),
        Amqp::Ushort(65_535),
        Amqp::Uint(0),
        Amqp::Uint(200),
        Amqp::Uint(u32::MAX),
        Amqp::Ulong(0),
        Amqp::Ulong(200),
        Amqp::Ulong(u64::MAX),
        Amqp::Byte(-128),
        Amqp::Short(-32_768),
        Amqp::Int(-1),
        Amqp::Int(i32::MIN),
        Amqp::Long(-1),
        Amqp::Long(i64::MIN),
        Amqp::Float(1.5),
        Amqp::Double(-1e300),
        Amqp::Decimal32([1; 4]),
        Amqp::Decimal64([2; 8]),
        Amqp::Decimal128([3; 16]),
        Amqp::Char('€'),
        Amqp::Timestamp(-5),
        Amqp::Uuid([4; 16]),
        Amqp::Binary(vec![0, 255]),
        "text ✓".into(),
        Amqp::Symbol("symbol".into()),
        Amqp::Binary(vec![7; 300]),
        Amqp::List(vec![]),
        Amqp::List(vec![Amqp::Null, Amqp::List(vec![Amqp::Long(1)])]),
        Amqp::Map(vec![]),
        Amqp::Map(vec![("key".into(), Amqp::Map(vec![(Amqp::Uint(1), Amqp::Null)]))]),
        Amqp::Array(vec![]),
        Amqp::Array(vec![Amqp::Bool(true), Amqp::Bool(false)]),
        Amqp::Array(vec!["one".into(), "two".into()]),
        Amqp::Array(vec![Amqp::Array(vec![Amqp::Int(1)]), Amqp::Array(vec![Amqp::Int(2), Amqp::Int(3)])]),
        Amqp::Described(Box::new(Amqp::Symbol("of".into())), Box::new("value".into())),
        Amqp::Described(
            Box::new(Amqp::Described(Box::new(Amqp::Ulong(1)), Box::new(Amqp::Ulong(2)))),
            Box::new(Amqp::Described(Box::new(Amqp::Ulong(3)), Box::new(Amqp::List(vec![Amqp::Ulong(4)])))),
        ),
    ];
    let described =
        |value: u64| Amqp::Described(Box::new(Amqp::Symbol("unit".into())), Box::new(Amqp::Ulong(value)));
    let array = Amqp::Array(vec![described(1), described(2)]);
    for one in values.iter().chain([&Amqp::List(values.clone()), &array]) {
        for width in [Width::Compact, Width::Wide] {
            let mut bytes = Vec::new();
            one.encode(width, &mut bytes);
            assert_eq!(value(&bytes).as_ref(), Ok(one), "{width:?}");
        }
    }
}

#[test]
fn wrong_values_are_told_with_their_index() {
    assert_eq!(wrong(b"\x73\0\x11\0\0"), (1, Problem::Char(0x11_0000)));
    assert_eq!(wrong(b"\x56\x02"), (1, Problem::Bool(2)));
    assert_eq!(wrong(b"\x57\x02"), (1, Problem::Type(0x57)));
    assert_eq!(wrong(b"\xc0\x03\x01\x40\x40"), (4, Problem::Trailing(1)));
    assert_eq!(wrong(b"\xc0\x03\x03\x40\x40"), (3, Problem::Count { count: 3, size: 2 }));
    assert_eq!(wrong(b"\xc0\x02\x01\x54"), (4, Problem::Truncated { needed: 1, left: 0 }));
    assert_eq!(wrong(b"\xc1\x04\x03\x40\x40\x40"), (3, Problem::Count { count: 3, size: 3 }));
    assert_eq!(wrong(b"\xd0\0\0\0\x04\xff\xff\xff\xff"), (9, Problem::Count { count: u32::MAX, size: 0 }));
    assert_eq!(wrong(b"\xe0\x04\x01\x54\x01\x02"), (5, Problem::Trailing(1)));
    assert_eq!(wrong(b"\xe0\x04\x02\x71\x01\x02"), (4, Problem::Truncated { needed: 4, left: 2 }));
    assert_eq!(wrong(b"\xe0\x03\x02\x56\x01"), (4, Problem::Count { count: 2, size: 1 }));
}

/// Six bytes that would be four billion values.
#[test]
fn an_array_of_nothing_is_bound() {
    assert_eq!(
        wrong(b"\xf0\0\0\0\x05\xff\xff\xff\xff\x40"),
        (10, Problem::Count { count: u32::MAX, size: 0 })
    );
    assert_eq!(value(b"\xf0\0\0\0\x05\0\0\0\xff\x40"), Ok(Amqp::Array(vec![Amqp::Null; 255])));
    assert_eq!(value(b"\xe0\x01\0"), Ok(Amqp::Array(vec![])));
}

#[test]
fn nesting_is_bound() {
    let nested = |depth: u8| (0..depth).fold(Amqp::Null, |inner, _| Amqp::List(vec![inner]));
    for (depth, fits) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false), (u8::MAX, false)] {
        let mut bytes = Vec::new();
        nested(depth).encode(Width::Wide, &mut bytes);
        assert_eq!(value(&bytes).is_ok(), fits, "{depth}");
    }
    // Descriptors of descriptors, and descriptors behind descriptors.
    let inner = vec![0; 1_000_000];
    assert_eq!(wrong(&inner).1, Problem::Depth);
    let behind = b"\0\x40".repeat(500_000);
    assert_eq!(wrong(&behind).1, Problem::Depth);
}

#[test]
fn text_may_be_any_bytes() -> Result<(), MessageError> {
    let bytes = b"\0\x53\x72\xc1\x14\x02\xa3\x0dx-routing-key\xa1\x02\xffa";
    let key = Message::parse(bytes)?.annotation_text("x-routing-key")?.expect("there");
    assert_eq!(key.as_bytes(), b"\xffa");
    assert!(key.to_str().is_err());
    assert_eq!(key.to_string_lossy(), "\u{fffd}a");
    Ok(())
}
