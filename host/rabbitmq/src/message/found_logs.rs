//! The logs that are found in a message of others: what the rule for its exchange says, and what it says itself.

use std::borrow::Cow;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use loghost_core::domain::{Numbering, Record, Severity, Timestamp};
use loghost_decode::{Decoded, Message, Table, Value};

use crate::message::bind_rules::{BindRules, Rule};
use crate::message::names::Names;
use crate::message::of_stream::{NoLog, StreamMessage};
use crate::message::record::{self, Decode, Route};
use crate::message::values;

/// The logs in a message, if a rule says how to read it: also in one that was sent back as it came, and that nobody has read
/// before.
pub fn logs(
    message: &Delivery,
    rules: &BindRules,
    received: Timestamp,
    decode: Decode,
) -> Option<Vec<Record>> {
    let exchange = message.exchange.as_str();
    let headers =
        message.properties.headers().as_ref().filter(|headers| record::is_replay(exchange, headers));
    let sent_back = headers.and_then(Route::from_headers);
    let route = sent_back
        .map_or((exchange, message.routing_key.as_str()), |route| (route.exchange, route.routing_key));
    let rule = rules.find(route.0, route.1)?;
    let mut logs = read((&message.properties, &message.data), route, rule, received, decode);
    if let Some(Route { attempts, .. }) = sent_back {
        for log in &mut logs {
            (log.attempt, log.replayed) = (attempts.saturating_add(1), true);
        }
    }
    Some(logs)
}

/// The logs in a message of a stream, which was published with this `route`.
pub(crate) fn of_stream(
    message: &StreamMessage<'_>,
    route: (&str, &str),
    rule: &Rule,
    received: Timestamp,
    decode: Decode,
) -> Result<Vec<Record>, NoLog> {
    let (properties, body) = message.content()?;
    Ok(read((&properties, &body), route, rule, received, decode))
}

/// The log in a message that was sent back as it came, if a rule says how to read it; `record` is what it is without one.
pub(crate) fn replayed(
    message: &Delivery,
    (rules, names): (&BindRules, &Names),
    (received, decode): (Timestamp, Decode),
    record: Record,
) -> Record {
    let found = || {
        let headers = message.properties.headers().as_ref()?;
        let Route { exchange, routing_key, .. } = Route::from_headers(headers)?;
        // One log of several is its text.
        if names.severity(exchange).is_some() || headers.contains_key(record::LOG_NUMBER) {
            return None;
        }
        let rule = rules.find(exchange, routing_key)?;
        let mut logs =
            read((&message.properties, &message.data), (exchange, routing_key), rule, received, decode);
        // There was one when it became a dead letter.
        logs.pop().filter(|_| logs.is_empty())
    };
    match found() {
        Some(found) => Record { attempt: record.attempt, replayed: true, ..found },
        None => record,
    }
}

/// A message in terms of no client. A `received` that is none is not known.
pub(crate) fn message<'m>(
    properties: &'m BasicProperties,
    body: &'m [u8],
    (exchange, routing_key): (&'m str, &'m str),
    received: Option<Timestamp>,
) -> Message<'m> {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let headers = headers.into_iter().flatten().filter(|(name, _)| !name.as_str().starts_with("loghost-"));
    Message {
        exchange,
        routing_key,
        content_type: text(properties.content_type().as_ref()),
        kind: text(properties.kind().as_ref()),
        app_id: text(properties.app_id().as_ref()),
        timestamp: *properties.timestamp(),
        headers: headers.map(|(name, header)| (Cow::Borrowed(name.as_str()), value(header))).collect(),
        received,
        body,
    }
}

fn text(text: Option<&ShortString>) -> Option<&str> {
    text.map(ShortString::as_str)
}

fn read(
    (properties, body): (&BasicProperties, &[u8]),
    route: (&str, &str),
    rule: &Rule,
    received: Timestamp,
    decode: Decode,
) -> Vec<Record> {
    let known = Some(received).filter(|received| *received != record::NO_TIME);
    let message = message(properties, body, route, known);
    let is_counted = !decode.message && !decode.attributes && !rule.decodes_bodies;
    let decoded = match rule.bind.severity {
        // All that a consumer reads which only counts.
        severity @ Some(_) if is_counted => {
            let (source, timestamp) = rule.decoder.beside_body(&message);
            vec![Decoded { severity, message: String::new(), source, timestamp, attributes: Vec::new() }]
        }
        _ => rule.decoder.decode(&message),
    };
    // An id is that of one log.
    let id = properties.message_id().as_ref().filter(|_| decoded.len() == 1).map(ToString::to_string);
    let hops = if decode.message { record::hops(properties) } else { 0 };
    let trace = record::trace(properties, decode.traces);
    let log = |decoded: Decoded| {
        let Decoded { severity, message, source, timestamp, mut attributes } = decoded;
        let said = rule.bind.severity.or(severity);
        let severity = said.unwrap_or(rule.default_severity);
        let source = source.map_or_else(String::new, |source| source.as_str().to_owned());
        let unkeyed = route.1.is_empty();
        attributes.sort_unstable();
        Record {
            severity,
            undetermined: said.is_none(),
            timestamp: timestamp.unwrap_or(received),
            attempt: 1,
            message: if decode.message { message } else { String::new() },
            id: id.clone(),
            numbering: numbering(properties, severity, if unkeyed { "" } else { &source }),
            source,
            attributes: if decode.attributes { attributes } else { Vec::new() },
            unkeyed,
            replayed: false,
            hops,
            trace: trace.clone(),
        }
    };
    decoded.into_iter().map(log).collect()
}

/// What the id of a message that is read as a log of this severity and source was numbered for: one of `publish --to` says it.
fn numbering(properties: &BasicProperties, severity: Severity, source: &str) -> Numbering {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let Some(said) = headers.and_then(|headers| headers.get(record::SAID_SEVERITY)) else {
        return Numbering::AsRead;
    };
    let is_same =
        matches!(said, AMQPValue::LongString(word) if word.as_bytes() == severity.as_str().as_bytes());
    let is_same = is_same && text(properties.app_id().as_ref()).unwrap_or_default() == source;
    if is_same { Numbering::AsRead } else { Numbering::Otherwise }
}

/// A header, in terms of no client.
fn value(header: &AMQPValue) -> Value<'_> {
    match header {
        AMQPValue::Void => Value::Null,
        AMQPValue::Boolean(value) => Value::Bool(*value),
        AMQPValue::ShortShortInt(value) => Value::Int((*value).into()),
        AMQPValue::ShortShortUInt(value) => Value::Int((*value).into()),
        AMQPValue::ShortInt(value) => Value::Int((*value).into()),
        AMQPValue::ShortUInt(value) => Value::Int((*value).into()),
        AMQPValue::LongInt(value) => Value::Int((*value).into()),
        AMQPValue::LongUInt(value) => Value::Int((*value).into()),
        AMQPValue::LongLongInt(value) => Value::Int(*value),
        AMQPValue::Timestamp(value) => Value::Unsigned(*value),
        AMQPValue::Double(value) => Value::Float(*value),
        AMQPValue::ShortString(text) => Value::text(text.as_str()),
        AMQPValue::LongString(text) => of_bytes(text.as_bytes()),
        AMQPValue::ByteArray(bytes) => of_bytes(bytes.as_slice()),
        AMQPValue::FieldArray(values) => Value::List(values.as_slice().iter().map(value).collect()),
        AMQPValue::FieldTable(fields) => Value::Table(table(fields)),
        AMQPValue::Float(_) | AMQPValue::DecimalValue(_) => Value::Text(Cow::Owned(values::text(header))),
    }
}

fn of_bytes(bytes: &[u8]) -> Value<'_> {
    str::from_utf8(bytes).map_or(Value::Bytes(Cow::Borrowed(bytes)), Value::text)
}

fn table(fields: &FieldTable) -> Table<'_> {
    let fields = fields.inner().iter();
    fields.map(|(name, field)| (Cow::Borrowed(name.as_str()), value(field))).collect()
}
