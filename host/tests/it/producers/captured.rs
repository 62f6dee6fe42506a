//! The messages that some forty producers put on RabbitMQ, through a real broker, to the bundled consumers.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::Value;

use super::have_counted;
use crate::support::broker::{Broker, Kind, on};
use crate::support::metrics::CONSUMERS;
use crate::support::{repository, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let kinds = [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4, Kind::Quorum];
    on(kinds, "captured::is_counted_by_what_each_message_says", is_counted_by_what_each_message_says)
}

/// A message, and the severities of the logs in it; none of one that does not say.
pub(super) struct Captured {
    pub(super) message: Value,
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
    both.map(|(message, reading)| Captured { severities: severities(&reading), message }).collect()
}

fn is_counted_by_what_each_message_says(broker: &Broker) {
    let exchange = format!("{}-producers", broker.prefix());
    let outside = broker.outside();
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let plugins = CONSUMERS.map(|name| tracked(&format!("plugins/{name}.wasm")));
    let run = || broker.loghost(["run", "--bind", &exchange]).args(&plugins);
    run().arg("--declare-only").end().exits(0);
    let captured = captured();
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    let mut undetermined = 0;
    for Captured { message, severities } in &captured {
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
    let output = run().args(["--format", "json", "--until-idle", "500ms"]).end().exits(0);
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
    match header(&message["headers"]) {
        AMQPValue::FieldTable(headers) => properties.with_headers(headers),
        _ => properties,
    }
}

fn header(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(is) => AMQPValue::Boolean(*is),
        Value::Number(number) => match number.as_i64() {
            Some(number) => AMQPValue::LongLongInt(number),
            None => AMQPValue::Double(number.as_f64().expect("a number")),
        },
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        Value::Array(values) => AMQPValue::FieldArray(values.iter().map(header).collect::<Vec<_>>().into()),
        Value::Object(fields) => {
            if let Some(text) = fields.get("base64") {
                return AMQPValue::LongString(bytes(text).into());
            }
            let mut table = FieldTable::default();
            for (name, field) in fields {
                table.insert(name.as_str().into(), header(field));
            }
            AMQPValue::FieldTable(table)
        }
    }
}
