//! The messages that some forty producers put on RabbitMQ, through a real broker, to the bundled consumers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::have_counted;
use crate::support::broker::{Broker, Kind, on};
use crate::support::metrics::CONSUMERS;
use crate::support::{repository, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let kinds = [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4, Kind::Quorum];
    let also_streams = kinds.into_iter().chain([Kind::Stream]);
    let name = "captured::is_counted_by_what_each_message_says";
    let mut trials = on(also_streams, name, is_counted_by_what_each_message_says);
    trials.extend(on(kinds, "captured::headers_of_any_type_are_read", headers_of_any_type_are_read));
    trials
}

/// A message, and the severities of the logs in it; none of one that does not say.
pub(super) struct Captured {
    pub(super) message: Value,
    pub(super) logs: Value,
    pub(super) severities: Vec<Option<String>>,
}

/// What the tests of decoding have; what their readings are, was checked by eye.
pub(super) fn captured() -> Vec<Captured> {
    let lines = |name: &str| -> Vec<Value> {
        let path = repository().join("host/decode/tests").join(name);
        let text = fs::read_to_string(path).expect("a file of ours");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let both = lines("captured.jsonl").into_iter().zip(lines("readings.jsonl"));
    let severities = |reading: &Value| {
        let logs = reading["logs"].as_array().expect("logs").iter();
        logs.map(|log| log["severity"].as_str().map(str::to_owned)).collect()
    };
    both.map(|(message, reading)| Captured {
        severities: severities(&reading),
        message,
        logs: reading["logs"].clone(),
    })
    .collect()
}

fn is_counted_by_what_each_message_says(broker: &Broker) {
    let exchange = format!("{}-producers", broker.prefix());
    let outside = broker.outside();
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let plugins = CONSUMERS.map(|name| tracked(&format!("plugins/{name}.wasm")));
    let run = || broker.loghost(["run", "--bind", &exchange]).args(&plugins);
    run().arg("--declare-only").end().exits(0);
    let mut captured = captured();
    if broker.is_stream() {
        // In a stream of loghost's own these bodies are no text of AMQP 0-9-1, and no logs.
        captured.retain(|Captured { message, .. }| {
            let is_own = message["exchange"].as_str().is_some_and(|exchange| exchange.starts_with("logs."));
            !is_own || message["properties"]["type"] != "amqp-1.0"
        });
    }
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    let mut undetermined = 0;
    for Captured { message, severities, .. } in &captured {
        let key = message["routing_key"].as_str().unwrap_or_default();
        // What producers publish to loghost's own exchanges has its severity from there.
        let own = message["exchange"].as_str().and_then(|exchange| exchange.strip_prefix("logs."));
        let own = own.map(|severity| broker.exchange(severity));
        let exchange = own.as_ref().unwrap_or(&exchange);
        outside.publish(exchange, key, &bytes(&message["body"]), properties(message));
        for severity in severities {
            undetermined += u64::from(severity.is_none());
            *expected.entry(severity.as_deref().unwrap_or("info")).or_default() += 1;
        }
    }
    let from: &[&str] = if broker.is_stream() { &["--from", "first"] } else { &[] };
    let output = run().args(["--format", "json", "--until-idle", "500ms"]).args(from).end().exits(0);
    let counted @ [debug, info, error, critical] = ["debug", "info", "error", "critical"]
        .map(|severity| expected.get(severity).copied().unwrap_or_default());
    assert!(debug.min(info).min(error).min(critical).min(undetermined) > 10, "{expected:?}, {undetermined}");
    have_counted(&output, counted, undetermined);
    for consumer in CONSUMERS {
        assert_eq!(outside.depth(&broker.queue(consumer)), Some(0), "all of it is acknowledged");
    }
    let others = debug + info + critical;
    output.says(&format!("[error] not wanted in this run: {others} logs"));
}

/// Those of each type that was seen in AMQP 0-9-1, also where the broker had made it of AMQP 1.0, are attributes as they are to
/// the tests of decoding.
fn headers_of_any_type_are_read(broker: &Broker) {
    let (exchange, outside) = (format!("{}-headers", broker.prefix()), broker.outside());
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let mut captured = captured();
    captured.retain(|Captured { message, logs, .. }| {
        // What RabbitMQ itself publishes is read as that by the name of its exchange.
        let is_own =
            message["exchange"].as_str().is_some_and(|exchange| exchange.starts_with("amq.rabbitmq."));
        !message["header_types"].is_null() && !is_own && logs.as_array().is_some_and(|logs| logs.len() == 1)
    });
    let kinds: BTreeSet<&str> = captured.iter().flat_map(|one| types(&one.message["header_types"])).collect();
    assert_eq!(kinds.into_iter().collect::<String>(), "ABFSTVbdfilstux");
    let most = captured.len().to_string();
    let tail = broker.loghost(["tail", "--format", "json", "--max-logs", &most, "--bind", &exchange]).start();
    tail.says("looking at what comes through");
    for Captured { message, .. } in &captured {
        let key = message["routing_key"].as_str().unwrap_or_default();
        outside.publish(&exchange, key, &bytes(&message["body"]), properties(message));
    }
    for (log, Captured { message, logs, .. }) in tail.end().exits(0).json().iter().zip(&captured) {
        assert_eq!(log["attributes"], logs[0]["attributes"], "{message}");
    }
}

/// The types of headers, also of those within others.
fn types(kind: &Value) -> Vec<&str> {
    match kind {
        Value::String(kind) => vec![kind],
        Value::Array(parts) => parts.iter().flat_map(types).collect(),
        Value::Object(fields) => fields.values().flat_map(types).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn bytes(base64: &Value) -> Vec<u8> {
    STANDARD.decode(base64.as_str().unwrap_or_default()).expect("base64")
}

/// The properties that brokers do not act on.
pub(super) fn properties(message: &Value) -> BasicProperties {
    let given = &message["properties"];
    let text = |name: &str| given[name].as_str().and_then(|text| ShortString::try_new(text).ok());
    let mut properties = BasicProperties::default();
    if let Some(content_type) = text("content_type") {
        properties = properties.with_content_type(content_type);
    }
    if let Some(encoding) = text("content_encoding") {
        properties = properties.with_content_encoding(encoding);
    }
    if let Some(kind) = text("type") {
        properties = properties.with_type(kind);
    }
    if let Some(app_id) = text("app_id") {
        properties = properties.with_app_id(app_id);
    }
    if let Some(timestamp) = given["timestamp"].as_u64() {
        properties = properties.with_timestamp(timestamp);
    }
    match header(&message["headers"], &json!(["F", &message["header_types"]])) {
        AMQPValue::FieldTable(headers) => properties.with_headers(headers),
        _ => properties,
    }
}

/// A header as it was captured, of this type: a letter of AMQP's, and of lists and tables also the types in them.
#[track_caller]
fn header(value: &Value, kind: &Value) -> AMQPValue {
    let int = || value.as_i64().expect("a whole number");
    let float = || value.as_f64().expect("a number");
    match kind[0].as_str().or(kind.as_str()) {
        Some("V") => AMQPValue::Void,
        Some("t") => AMQPValue::Boolean(value.as_bool().expect("a truth value")),
        Some("b") => AMQPValue::ShortShortInt(int().try_into().expect("8 bits")),
        Some("B") => AMQPValue::ShortShortUInt(int().try_into().expect("8 bits")),
        Some("s") => AMQPValue::ShortInt(int().try_into().expect("16 bits")),
        Some("u") => AMQPValue::ShortUInt(int().try_into().expect("16 bits")),
        Some("i") => AMQPValue::LongUInt(int().try_into().expect("32 bits")),
        Some("l") => AMQPValue::LongLongInt(int()),
        Some("T") => AMQPValue::Timestamp(int().try_into().expect("no time before 1970")),
        #[expect(clippy::cast_possible_truncation, reason = "it was one of 32 bits")]
        Some("f") => AMQPValue::Float(float() as f32),
        Some("d") => AMQPValue::Double(float()),
        Some("x") => AMQPValue::ByteArray(bytes(&value["base64"]).into()),
        Some("S") => match value.as_str() {
            Some(text) => AMQPValue::LongString(text.into()),
            None => AMQPValue::LongString(bytes(&value["base64"]).into()),
        },
        Some("A") => {
            let of_each =
                value.as_array().into_iter().flatten().zip(kind[1].as_array().into_iter().flatten());
            AMQPValue::FieldArray(of_each.map(|(value, kind)| header(value, kind)).collect::<Vec<_>>().into())
        }
        Some("F") => {
            let mut table = FieldTable::default();
            for (name, field) in value.as_object().into_iter().flatten() {
                table.insert(name.as_str().into(), header(field, &kind[1][name]));
            }
            AMQPValue::FieldTable(table)
        }
        _ => panic!("no header: {value} of type {kind}"),
    }
}
