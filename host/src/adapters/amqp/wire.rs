//! What a log looks like in a message: the body is the text; severity is the exchange, source the
//! routing key and `app-id`, attributes the headers.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use loghost_core::domain::{Attributes, Log, MessageId, Record, Severity, Timestamp};

/// AMQP 0-9-1's delivery mode for what must survive a restart of the broker.
pub(super) const PERSISTENT: u8 = 2;

/// The `type` of the message that marks the end of a scenario; its message id says which.
pub(super) const MARKER_TYPE: &str = "loghost.marker";

/// The parts of a message that somebody will read; what nobody reads is not decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decode {
    pub(super) message: bool,
    pub(super) attributes: bool,
}

/// The properties of a log that is published.
pub(super) fn properties(id: &MessageId, timestamp: Timestamp, log: &Log) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (key, value) in log.attributes.iter() {
        headers.insert(key.into(), AMQPValue::LongString(value.into()));
    }
    // AMQP's own timestamp has seconds.
    let millis = i64::try_from(timestamp.as_millis()).unwrap_or(i64::MAX);
    headers.insert(Attributes::TIMESTAMP_KEY.into(), AMQPValue::LongLongInt(millis));
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("utf-8".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(id.to_string().into())
        .with_timestamp(timestamp.as_millis() / 1000)
        .with_headers(headers);
    match &log.source {
        Some(source) => properties.with_app_id(source.as_str().into()),
        None => properties,
    }
}

/// The routing key of a log: its source.
pub(super) fn routing_key(log: &Log) -> ShortString {
    log.source.as_ref().map_or("", |source| source.as_str()).into()
}

/// Reads a log. Whatever a producer put into the message, there is a record of it.
pub(super) fn record(
    delivery: &mut Delivery,
    severity: Severity,
    received: Timestamp,
    decode: Decode,
) -> Record {
    let properties = &delivery.properties;
    let headers = properties.headers().as_ref();
    let message =
        if decode.message { String::from_utf8_lossy(&delivery.data).into_owned() } else { String::new() };
    let attributes = match headers.filter(|_| decode.attributes) {
        Some(headers) => headers
            .inner()
            .iter()
            .filter(|(key, _)| !Attributes::is_reserved(key.as_str()))
            .map(|(key, value)| (key.to_string(), text(value)))
            .collect(),
        None => Vec::new(),
    };
    Record {
        severity,
        timestamp: timestamp(properties).unwrap_or(received),
        attempt: 1,
        message,
        id: properties.message_id().as_ref().map(ToString::to_string),
        source: source(delivery),
        attributes,
    }
}

/// Where it comes from: the routing key, which is what bindings go by; without one, the `app-id`.
fn source(message: &Delivery) -> String {
    let app_id = message.properties.app_id().as_ref().map_or("", ShortString::as_str);
    let key = message.routing_key.as_str();
    if key.is_empty() { app_id.to_owned() } else { key.to_owned() }
}

/// The producer's time: in milliseconds from the header, or in seconds from the property.
fn timestamp(properties: &BasicProperties) -> Option<Timestamp> {
    let header =
        properties.headers().as_ref().and_then(|headers| headers.inner().get(Attributes::TIMESTAMP_KEY));
    let millis = match header {
        Some(AMQPValue::LongLongInt(millis)) => u64::try_from(*millis).ok(),
        _ => None,
    };
    let millis =
        millis.or_else(|| properties.timestamp().as_ref().map(|seconds| seconds.saturating_mul(1000)));
    millis.map(Timestamp::from_millis)
}

/// A header's value as text; JSON where it has parts.
pub(super) fn text(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        other => json(other).to_string(),
    }
}

fn json(value: &AMQPValue) -> serde_json::Value {
    match value {
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Timestamp(value) => (*value).into(),
        AMQPValue::Float(value) => (*value).into(),
        AMQPValue::Double(value) => (*value).into(),
        AMQPValue::DecimalValue(value) => format!("{}e-{}", value.value, value.scale).into(),
        AMQPValue::ShortString(value) => value.to_string().into(),
        AMQPValue::LongString(value) => String::from_utf8_lossy(value.as_bytes()).into(),
        AMQPValue::ByteArray(value) => String::from_utf8_lossy(value.as_slice()).into(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(json).collect(),
        AMQPValue::FieldTable(table) => table
            .inner()
            .iter()
            .map(|(key, value)| (key.to_string(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        AMQPValue::Void => serde_json::Value::Null,
    }
}
