//! What RabbitMQ 4.3.6 sent to a reader of the stream protocol, version 1, chunk by chunk.

use loghost_stream::testing::Amqp;
use loghost_stream::{Body, Chunk, Message, MessageError, MessageId, Value};

use super::{Found, messages, read, unhex};

/// Two messages with filter values, as of a producer that publishes with version 2: a filter of 16 bytes is declared.
const FILTERED: &str = "5000000200000002000001a21b5a4d1700000000000000010000000000000000d765b1440000001800000000100000000000\
     0008005375a0036f6e6500000008005375a00374776f";

/// A batch of two messages, which the producer compressed.
const GZIP: &str = "5000000100000002000001a21b5a4e43000000000000000100000000000000022ae8b6970000003800000000000000009000\
     020000001b0000002d1f8b0800000000000203636060e062082e5dc05a9251949acac0c0c009e2b1a4e5971601001dff2513\
     1b000000";

/// A log that was published over AMQP 0-9-1, with each property that there is: a trailer of 43 bytes is declared.
const LOG: &str = "5000000100000001000001a21b5a4f8a00000000000000010000000000000004c1da27e1000001200000002b000000000000\
     011c005370c00b05415003700000ea604143005372c15808a30d782d726f7574696e672d6b6579a11173686f702e7061796d\
     656e742e63617264a30a782d65786368616e6765a10a6c6f67732e6572726f72a30c782d62617369632d74797065a10174a3\
     07782d7468696e67a10179005373c0590ba12132663661353163306237646534643062386133342d6572726f722d73686f70\
     2d30a00567756573744040a1092f7175657565732f72a1026331a30a746578742f706c61696e404083000001a0c4506c00a1\
     0473686f70005374c13b08a10f74696d657374616d705f696e5f6d7381000001a0c4506c7ba104686f7374a1076e6f64652d\
     3137a105736d616c6c5405a104666c61675601005375a00c636172642072656675736564";

/// The same without a body.
const EMPTY: &str = "5000000100000001000001a21b5a4f8b00000000000000010000000000000005f94acc9b000001140000002b000000000000\
     0110005370c00b05415003700000ea604143005372c15808a30d782d726f7574696e672d6b6579a11173686f702e7061796d\
     656e742e63617264a30a782d65786368616e6765a10a6c6f67732e6572726f72a30c782d62617369632d74797065a10174a3\
     07782d7468696e67a10179005373c0590ba12132663661353163306237646534643062386133342d6572726f722d73686f70\
     2d31a00567756573744040a1092f7175657565732f72a1026331a30a746578742f706c61696e404083000001a0c4506c00a1\
     0473686f70005374c13b08a10f74696d657374616d705f696e5f6d7381000001a0c4506c7ba104686f7374a1076e6f64652d\
     3137a105736d616c6c5405a104666c61675601005375a000";

/// A message behind a stored offset, which took offset 6.
const LAST: &str = "5000000100000001000001a21b5a51e400000000000000010000000000000007119ba7730000000d00000000000000000000\
     0009005375a0046c617374";

/// A message with one section of data that is not longer than a byte can say.
fn data(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    [&[0, 0x53, 0x75, 0xa0, length], text.as_bytes()].concat()
}

/// The only message of a chunk.
fn only(chunk: &str) -> Vec<u8> {
    match &mut read(&unhex(chunk))[..] {
        [Found::Message(_, bytes)] => std::mem::take(bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn filters_and_trailers_are_declared_and_not_sent() {
    for (chunk, filter, trailer) in [(FILTERED, 16, 0), (LOG, 0, 43)] {
        let bytes = unhex(chunk);
        let chunk = Chunk::parse(&bytes).expect("a chunk");
        let header = chunk.header();
        assert_eq!((header.filter_size, header.trailer_length), (filter, trailer));
        assert_eq!(bytes.len(), 48 + header.data_length as usize);
    }
}

#[test]
fn messages_and_batches_are_read() {
    assert_eq!(read(&unhex(FILTERED)), messages(0, &["one", "two"].map(data)));
    assert_eq!(read(&unhex(GZIP)), messages(2, &["three", "four"].map(data)));
    assert_eq!(read(&unhex(LAST)), messages(7, &["last"].map(data)));
}

#[test]
fn a_log_published_over_amqp_0_9_1_is_read() -> Result<(), MessageError> {
    let bytes = only(LOG);
    let message = Message::parse(&bytes)?;
    let header: Result<Vec<_>, _> = message.header()?.iter().collect();
    let expected =
        [Value::Bool(true), Value::Ubyte(3), Value::Uint(60_000), Value::Bool(true), Value::Uint(0)];
    assert_eq!(header?[..], expected[..]);

    let annotations = [
        ("x-routing-key", "shop.payment.card"),
        ("x-exchange", "logs.error"),
        ("x-basic-type", "t"),
        ("x-thing", "y"),
    ];
    for (key, value) in annotations {
        assert_eq!(message.annotation_text(key)?.expect(key), value);
    }
    assert_eq!(message.message_annotations()?.len(), annotations.len());

    let properties = message.properties()?;
    let Some(MessageId::String(id)) = properties.message_id()? else { panic!("{properties:?}") };
    assert_eq!(id, "2f6a51c0b7de4d0b8a34-error-shop-0");
    let Some(MessageId::String(id)) = properties.correlation_id()? else { panic!("{properties:?}") };
    assert_eq!(id, "c1");
    assert_eq!(properties.user_id()?, Some(&b"guest"[..]));
    assert_eq!(properties.reply_to()?.expect("there"), "/queues/r");
    assert_eq!(properties.content_type()?.expect("there"), "text/plain");
    assert_eq!(properties.creation_time()?, Some(1_790_000_000_000));
    assert_eq!(properties.group_id()?.expect("there"), "shop");
    assert_eq!((properties.to()?, properties.subject()?, properties.group_sequence()?), (None, None, None));

    let application = message.application_properties()?;
    let pairs: Result<Vec<_>, _> = application
        .iter()
        .map(|pair| pair.and_then(|(key, value)| Ok((Amqp::of(key)?, Amqp::of(value)?))))
        .collect();
    let expected = [
        ("timestamp_in_ms".into(), Amqp::Long(1_790_000_000_123)),
        ("host".into(), "node-17".into()),
        ("small".into(), Amqp::Int(5)),
        ("flag".into(), Amqp::Bool(true)),
    ];
    assert_eq!(pairs?, expected);
    let Body::Data(body) = message.body()? else { panic!("no data") };
    assert_eq!(body.bytes(), &b"card refused"[..]);
    Ok(())
}

#[test]
fn a_log_without_a_body_has_empty_data() -> Result<(), MessageError> {
    let bytes = only(EMPTY);
    let Body::Data(body) = Message::parse(&bytes)?.body()? else { panic!("no data") };
    assert_eq!(body.collect::<Vec<_>>(), [&b""[..]]);
    Ok(())
}
