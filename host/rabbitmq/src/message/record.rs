//! What a log looks like in a message: the body is the text; severity is the exchange, source the
//! routing key and `app-id`, attributes the headers.
//!
//! A replay, which is a dead letter that was sent back, is published directly to the consumer's queue: its headers say where
//! it was published to before.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use loghost_core::domain::{
    Attributes, Log, MessageId, Numbering, Record, Severity, Timestamp, TraceContext, TracesRead,
};

use crate::message::names::Names;
use crate::message::values;

/// AMQP 0-9-1's delivery mode for what must survive a restart of the broker.
pub(crate) const PERSISTENT: u8 = 2;

/// The `type` of the message that marks the end of a scenario; its message id says which.
pub(crate) const MARKER_TYPE: &str = "loghost.marker";

/// The headers of a dead letter, and of its replay: where the log was published to, and how many attempts
/// were made at it.
pub(crate) const EXCHANGE: &str = "loghost-exchange";
pub(crate) const ROUTING_KEY: &str = "loghost-routing-key";
pub(crate) const ATTEMPTS: &str = "loghost-attempts";

/// The headers of a dead letter, and of its replay, of a log that was found in a message of others: what it was found to be,
/// and, if it was one of several, where it was, as `2/3`. Then the body is its text.
pub(crate) const SEVERITY: &str = "loghost-severity";
pub(crate) const SOURCE: &str = "loghost-source";
pub(crate) const LOG_NUMBER: &str = "loghost-log-number";

/// The header that marks a replay.
pub(crate) const REPLAY: &str = "loghost-replay";

/// The header that says how many consumers a log has come through.
pub(crate) const HOPS: &str = "loghost-hops";

/// When a message was received of which nobody knows that.
pub(crate) const NO_TIME: Timestamp = Timestamp::from_millis(u64::MAX);

/// The parts of a message that somebody will read; what nobody reads is not decoded.
#[derive(Clone, Copy, Debug)]
pub struct Decode {
    /// The text.
    pub message: bool,
    /// The attributes.
    pub attributes: bool,
    /// The trace that it belongs to, if it is one of these.
    pub traces: TracesRead,
}

/// The properties of a log that is published.
pub fn properties(id: &MessageId, timestamp: Timestamp, log: &Log) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (key, value) in log.attributes.iter() {
        headers.insert(key.into(), AMQPValue::LongString(value.into()));
    }
    // AMQP's own timestamp has seconds.
    let millis = i64::try_from(timestamp.as_millis()).unwrap_or(i64::MAX);
    headers.insert(Attributes::TIMESTAMP_KEY.into(), AMQPValue::LongLongInt(millis));
    if log.hops > 0 {
        headers.insert(HOPS.into(), AMQPValue::ShortShortUInt(log.hops));
    }
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

/// The header that says how serious a log is that was published to an exchange of others.
pub(crate) const SAID_SEVERITY: &str = "severity";

/// The routing key of a log: its source.
pub(crate) fn routing_key(log: &Log) -> ShortString {
    log.source.as_ref().map_or("", |source| source.as_str()).into()
}

/// Where a log was published to, and what has been tried since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) severity: Severity,
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    /// How many attempts were made at it before.
    pub(crate) attempts: u32,
    pub(crate) replayed: bool,
}

impl<'a> Origin<'a> {
    /// That of a message; none if it was not published as a log.
    pub(crate) fn of(
        (exchange, routing_key): (&'a str, &'a str),
        properties: &'a BasicProperties,
        names: &Names,
    ) -> Option<Self> {
        if let Some(severity) = names.severity(exchange) {
            return Some(Self { severity, exchange, routing_key, attempts: 0, replayed: false });
        }
        let headers = properties.headers().as_ref()?;
        if is_replay(exchange, headers) { Self::from_headers(headers, names) } else { None }
    }

    /// That which the headers of a replay say.
    fn from_headers(headers: &'a FieldTable, names: &Names) -> Option<Self> {
        let Route { exchange, routing_key, attempts } = Route::from_headers(headers)?;
        let severity = names.severity(exchange).or_else(|| found_severity(headers))?;
        Some(Self { severity, exchange, routing_key, attempts, replayed: true })
    }
}

/// Whether a message that was published to `exchange` is a replay.
pub(crate) fn is_replay(exchange: &str, headers: &FieldTable) -> bool {
    exchange.is_empty() && headers.inner().get(REPLAY) == Some(&AMQPValue::Boolean(true))
}

/// Where a message was published to, and what has been tried since, as the headers of a dead letter or of a
/// replay say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    /// How many attempts were made at it.
    pub(crate) attempts: u32,
}

impl<'a> Route<'a> {
    pub(crate) fn from_headers(headers: &'a FieldTable) -> Option<Self> {
        Some(Self {
            exchange: header_text(headers, EXCHANGE)?,
            routing_key: header_text(headers, ROUTING_KEY)?,
            attempts: u32::try_from(header_number(headers, ATTEMPTS)?).ok()?,
        })
    }
}

/// The severity that was found in a message of others, as its dead letter says.
pub(crate) fn found_severity(headers: &FieldTable) -> Option<Severity> {
    header_text(headers, SEVERITY)?.parse().ok()
}

/// The source that was found in a message of others, as its dead letter says.
pub(crate) fn found_source(properties: &BasicProperties) -> Option<&str> {
    header_text(properties.headers().as_ref()?, SOURCE)
}

/// Reads a log, if the message is one. Whatever a producer put into it, there is a record of it.
pub fn record(message: &Delivery, names: &Names, received: Timestamp, decode: Decode) -> Option<Record> {
    let properties = &message.properties;
    let origin = Origin::of((message.exchange.as_str(), message.routing_key.as_str()), properties, names)?;
    let found = if origin.replayed { found_source(properties) } else { None };
    let text =
        if decode.message { String::from_utf8_lossy(&message.data).into_owned() } else { String::new() };
    Some(Record {
        severity: origin.severity,
        undetermined: false,
        timestamp: timestamp(properties).unwrap_or(received),
        attempt: origin.attempts.saturating_add(1),
        message: text,
        id: properties.message_id().as_ref().map(ToString::to_string),
        source: found.unwrap_or_else(|| source(properties, origin.routing_key)).to_owned(),
        attributes: if decode.attributes { attributes(properties) } else { Vec::new() },
        unkeyed: origin.routing_key.is_empty(),
        numbering: Numbering::AsRead,
        replayed: origin.replayed,
        hops: if decode.message { hops(properties) } else { 0 },
        trace: trace(properties, decode.traces),
    })
}

/// The trace that a message belongs to, if its headers say so and it is one of these.
pub(crate) fn trace(properties: &BasicProperties, read: TracesRead) -> Option<Box<TraceContext>> {
    let headers = properties.headers().as_ref().filter(|_| read != TracesRead::None)?;
    let parent = header_text(headers, TraceContext::PARENT_KEY).filter(|parent| read.wants(parent))?;
    TraceContext::parse(parent, header_text(headers, TraceContext::STATE_KEY)).map(Box::new)
}

pub(crate) fn hops(properties: &BasicProperties) -> u8 {
    let hops = properties.headers().as_ref().and_then(|headers| header_number(headers, HOPS));
    hops.map_or(0, |hops| u8::try_from(hops).unwrap_or(u8::MAX))
}

/// What else a log says: the headers that nobody acts on, or can.
pub(crate) fn attributes(properties: &BasicProperties) -> Vec<(String, String)> {
    let headers = properties.headers().iter().flat_map(FieldTable::inner);
    headers
        .filter(|(key, value)| is_attribute(key.as_str(), || values::whole_number(value)))
        .map(|(key, value)| (key.to_string(), values::text(value)))
        .collect()
}

/// Whether a header says something of the log; `number` reads it as a whole number.
pub(crate) fn is_attribute(key: &str, number: impl FnOnce() -> Option<u64>) -> bool {
    !Attributes::is_reserved(key) || key == Attributes::TIMESTAMP_KEY && number().is_none()
}

/// Where it comes from: the routing key, which is what bindings go by; without one, the `app-id`.
pub(crate) fn source<'a>(properties: &'a BasicProperties, routing_key: &'a str) -> &'a str {
    let app_id = properties.app_id().as_ref().map_or("", ShortString::as_str);
    if routing_key.is_empty() { app_id } else { routing_key }
}

/// A header that is a text.
pub(crate) fn header_text<'a>(headers: &'a FieldTable, key: &str) -> Option<&'a str> {
    match headers.inner().get(key)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        _ => None,
    }
}

/// A header that is a number.
pub(crate) fn header_number(headers: &FieldTable, key: &str) -> Option<u64> {
    headers.inner().get(key).and_then(values::whole_number)
}

/// From this on, the property `timestamp` is taken for milliseconds, which some clients write: seconds until the year 5138,
/// milliseconds since 1973.
const LATEST_IN_SECONDS: u64 = 100_000_000_000;

/// The producer's time: in milliseconds from the header, or from the property, which should have seconds.
pub(crate) fn timestamp(properties: &BasicProperties) -> Option<Timestamp> {
    let header = properties.headers().as_ref().and_then(|h| header_number(h, Attributes::TIMESTAMP_KEY));
    header.map(Timestamp::from_millis).or_else(|| properties.timestamp().map(in_millis))
}

/// The time that the property says.
pub(crate) fn in_millis(time: u64) -> Timestamp {
    Timestamp::from_millis(if time < LATEST_IN_SECONDS { time * 1000 } else { time })
}
