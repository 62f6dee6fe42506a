//! The properties of a message of AMQP 1.0 as those of AMQP 0-9-1, as `RabbitMQ` converts them (`mc_amqpl.erl`).

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use loghost_stream::{MapIter, Message, MessageError, MessageId, Text, Value};
use percent_encoding::percent_decode_str;

use super::TYPE;
use crate::message::record::PERSISTENT;
use crate::message::values;

/// AMQP 0-9-1's delivery mode for what need not survive a restart of the broker.
const TRANSIENT: u8 = 1;

/// The indices in the header of a message.
const DURABLE: usize = 0;
const PRIORITY: usize = 1;
const TTL: usize = 2;

/// The annotation with further recipients.
const RECIPIENTS: &str = "x-cc";

/// Annotations that are no headers begin with it, or are these.
const NO_HEADERS: [&str; 3] = ["x-exchange", "x-routing-key", "x-basic-"];

/// The headers: what the producer says of the message, and what AMQP 0-9-1 has among that.
pub(super) fn headers<'a>(
    message: &Message<'a>,
) -> impl Iterator<Item = Result<(Cow<'a, str>, Value<'a>), MessageError>> {
    let annotations = message.message_annotations().map(|map| map.iter());
    let properties = message.application_properties().map(|map| map.iter());
    let is_header =
        |key: &str| key.starts_with("x-") && !NO_HEADERS.iter().any(|prefix| key.starts_with(prefix));
    named(annotations)
        .filter(move |header| header.as_ref().is_ok_and(|(key, _)| is_header(key) || key == "CC"))
        .chain(named(properties))
}

fn named(
    pairs: Result<MapIter<'_>, MessageError>,
) -> impl Iterator<Item = Result<(Cow<'_, str>, Value<'_>), MessageError>> {
    let (pairs, error) = match pairs {
        Ok(pairs) => (Some(pairs), None),
        Err(error) => (None, Some(Err(error))),
    };
    let pairs = pairs.into_iter().flatten().filter_map(|pair| match pair {
        Ok((key, value)) => key.as_text().map(|key| {
            let key = key.to_string_lossy();
            Ok((if key == RECIPIENTS { Cow::Borrowed("CC") } else { key }, value))
        }),
        Err(error) => Some(Err(error)),
    });
    error.into_iter().chain(pairs)
}

/// A value that is a text.
pub(super) fn text<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    match value {
        Value::String(text) | Value::Symbol(text) => Some(text.to_string_lossy()),
        _ => None,
    }
}

/// All of the properties that AMQP 0-9-1 has as well.
pub(super) fn properties(message: &Message<'_>) -> Result<BasicProperties, MessageError> {
    let from = message.properties()?;
    let header = message.header()?;
    let mut properties = BasicProperties::default();
    if let Some(Value::Bool(is_durable)) = header.get(DURABLE)? {
        properties = properties.with_delivery_mode(if is_durable { PERSISTENT } else { TRANSIENT });
    }
    if let Some(Value::Ubyte(priority)) = header.get(PRIORITY)? {
        properties = properties.with_priority(priority);
    }
    if let Some(Value::Uint(millis)) = header.get(TTL)? {
        properties = properties.with_expiration(millis.to_string().into());
    }
    if let Some(text) = from.content_type()?.and_then(short) {
        properties = properties.with_content_type(text);
    }
    if let Some(text) = from.content_encoding()?.and_then(short) {
        properties = properties.with_content_encoding(text);
    }
    if let Some(id) = from.message_id()?.and_then(short_id) {
        properties = properties.with_message_id(id);
    }
    if let Some(id) = from.correlation_id()?.and_then(short_id) {
        properties = properties.with_correlation_id(id);
    }
    if let Some(text) = from.reply_to()?.and_then(queue_of) {
        properties = properties.with_reply_to(text);
    }
    if let Some(text) = from.group_id()?.and_then(short) {
        properties = properties.with_app_id(text);
    }
    if let Some(seconds) = from.creation_time()?.and_then(seconds) {
        properties = properties.with_timestamp(seconds);
    }
    if let Some(user) =
        from.user_id()?.and_then(|user| ShortString::try_new(String::from_utf8_lossy(user)).ok())
    {
        properties = properties.with_user_id(user);
    }
    if let Some(kind) = message.annotation_text(TYPE)?.and_then(short) {
        properties = properties.with_type(kind);
    }
    let mut table = FieldTable::default();
    for header in headers(message) {
        let (key, named) = header?;
        if let (Ok(key), Some(named)) = (ShortString::try_new(&*key), value(&named)) {
            table.insert(key, named);
        }
    }
    Ok(if table.inner().is_empty() { properties } else { properties.with_headers(table) })
}

fn short(text: Text<'_>) -> Option<ShortString> {
    ShortString::try_new(&*text.to_string_lossy()).ok()
}

/// The queue of an address, as which the broker stores the name of one.
fn queue_of(address: Text<'_>) -> Option<ShortString> {
    let address = address.to_string_lossy();
    match address.strip_prefix("/queues/") {
        Some(name) => ShortString::try_new(&*percent_decode_str(name).decode_utf8_lossy()).ok(),
        None => ShortString::try_new(&*address).ok(),
    }
}

fn short_id(given: MessageId<'_>) -> Option<ShortString> {
    id(given).and_then(|id| ShortString::try_new(id).ok())
}

/// An id as text. One that AMQP 0-9-1 has no room for is none there.
pub(super) fn id(id: MessageId<'_>) -> Option<String> {
    let text = match id {
        MessageId::String(text) => text.to_string_lossy().into_owned(),
        MessageId::Ulong(number) => number.to_string(),
        MessageId::Binary(bytes) => BASE64_STANDARD.encode(bytes),
        MessageId::Uuid(bytes) => uuid(bytes),
    };
    u8::try_from(text.len()).is_ok().then_some(text)
}

/// A UUID in its usual form (RFC 9562, section 4).
fn uuid(bytes: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// The seconds since 1970 in a time in milliseconds, if it is not before.
pub(super) fn seconds(millis: i64) -> Option<u64> {
    u64::try_from(millis).ok().map(|millis| millis / 1000)
}

/// A value as a whole number that is not negative.
pub(super) fn whole_number(of: &Value<'_>) -> Option<u64> {
    match of {
        // Without the detour, for the time that each log has.
        Value::Long(number) => u64::try_from(*number).ok(),
        other => value(other).as_ref().and_then(values::whole_number),
    }
}

/// A value as AMQP 0-9-1 has it; none for what it has no form for.
pub(super) fn value(value: &Value<'_>) -> Option<AMQPValue> {
    let text = |text: &Text<'_>| AMQPValue::LongString(text.as_bytes().into());
    Some(match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Ubyte(value) => AMQPValue::ShortShortUInt(*value),
        Value::Ushort(value) => AMQPValue::ShortUInt(*value),
        Value::Uint(value) => AMQPValue::LongUInt(*value),
        Value::Ulong(value) => AMQPValue::LongLongInt(i64::try_from(*value).unwrap_or(i64::MAX)),
        Value::Byte(value) => AMQPValue::ShortShortInt(*value),
        Value::Short(value) => AMQPValue::ShortInt(*value),
        Value::Int(value) => AMQPValue::LongInt(*value),
        Value::Long(value) => AMQPValue::LongLongInt(*value),
        Value::Float(value) => AMQPValue::Float(*value),
        Value::Double(value) => AMQPValue::Double(*value),
        Value::Char(value) => AMQPValue::LongString(value.to_string().into()),
        Value::Timestamp(millis) => AMQPValue::Timestamp(seconds(*millis)?),
        Value::Uuid(bytes) => AMQPValue::LongString(uuid(*bytes).into()),
        Value::Binary(bytes) => AMQPValue::ByteArray((*bytes).into()),
        Value::String(value) | Value::Symbol(value) => text(value),
        Value::List(list) => {
            let values = list.iter().filter_map(|element| self::value(&element.ok()?));
            AMQPValue::FieldArray(FieldArray::from(values.collect::<Vec<_>>()))
        }
        Value::Decimal32(_)
        | Value::Decimal64(_)
        | Value::Decimal128(_)
        | Value::Map(_)
        | Value::Array(_)
        | Value::Described(_) => return None,
    })
}
