//! What is made of the messages that some forty producers really put on RabbitMQ: `captured.jsonl` has the messages,
//! `readings.jsonl` what each is read as, in the same order. `UPDATE_EXPECT=1` writes the readings again: read the difference.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect_file;
use loghost_core::domain::{Severity, Source, Timestamp};
use loghost_decode::{Decoded, Decoder, Format, Message, Options, Value};
use serde_json::{Value as Json, json};

/// A header as it was captured: what is no UTF-8 is in base64.
fn value(json: &Json) -> Value<'_> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().expect("a number")),
        },
        Json::String(text) => Value::text(text),
        Json::Array(values) => Value::List(values.iter().map(value).collect()),
        Json::Object(fields) => match fields.get("base64") {
            Some(bytes) => Value::Bytes(Cow::Owned(bytes_of(bytes))),
            None => Value::Table(table(json)),
        },
    }
}

fn table(json: &Json) -> Vec<(Cow<'_, str>, Value<'_>)> {
    let fields = json.as_object().into_iter().flatten();
    fields.map(|(name, field)| (Cow::Borrowed(name.as_str()), value(field))).collect()
}

fn bytes_of(json: &Json) -> Vec<u8> {
    STANDARD.decode(json.as_str().unwrap_or_default()).expect("base64")
}

fn decode(captured: &Json) -> Vec<Decoded> {
    let body = bytes_of(&captured["body"]);
    Decoder::default().decode(&message(captured, &body))
}

fn message<'a>(captured: &'a Json, body: &'a [u8]) -> Message<'a> {
    let properties = &captured["properties"];
    Message {
        exchange: captured["exchange"].as_str().unwrap_or_default(),
        routing_key: captured["routing_key"].as_str().unwrap_or_default(),
        content_type: properties["content_type"].as_str(),
        kind: properties["type"].as_str(),
        app_id: properties["app_id"].as_str(),
        timestamp: properties["timestamp"].as_u64(),
        headers: table(&captured["headers"]),
        received: None,
        body,
    }
}

fn reading(log: &Decoded) -> Json {
    let attributes = log.attributes.iter().map(|(key, value)| (key.clone(), json!(value)));
    json!({
        "severity": log.severity.map(Severity::as_str),
        "message": log.message,
        "source": log.source.as_ref().map(Source::as_str),
        "timestamp": log.timestamp.map(Timestamp::as_millis),
        "attributes": attributes.collect::<serde_json::Map<_, _>>(),
    })
}

#[test]
fn captured_messages_are_read_right() {
    let captured = fs::read_to_string("tests/captured.jsonl").expect("a file of ours");
    let mut readings = String::new();
    for (n, line) in captured.lines().enumerate() {
        let captured: Json = serde_json::from_str(line).expect("JSON");
        let logs: Vec<Json> = decode(&captured).iter().map(reading).collect();
        let line = json!({"line": n + 1, "producer": captured["producer"], "logs": logs});
        writeln!(readings, "{line}").expect("memory");
    }
    expect_file!["readings.jsonl"].assert_eq(&readings);
}

/// A name is no guess: what other programs write as well has the name of its format.
#[test]
fn producers_are_recognised() {
    let captured = fs::read_to_string("tests/captured.jsonl").expect("a file of ours");
    let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for line in captured.lines() {
        let captured: Json = serde_json::from_str(line).expect("JSON");
        let body = bytes_of(&captured["body"]);
        let name = Decoder::default().producer(&message(&captured, &body)).name;
        let producer = captured["producer"].as_str().expect("a name").to_owned();
        names.entry(producer).or_default().insert(name);
    }
    let mut recognised = String::new();
    for (producer, names) in names {
        let names: Vec<&str> = names.into_iter().collect();
        writeln!(recognised, "{producer}: {}", names.join(", ")).expect("memory");
    }
    expect_file!["recognised.txt"].assert_eq(&recognised);
}

/// Nothing is lost: each message is a log.
#[test]
fn every_captured_message_is_a_log() {
    let captured = fs::read_to_string("tests/captured.jsonl").expect("a file of ours");
    let read: Vec<Vec<Decoded>> =
        captured.lines().map(|line| decode(&serde_json::from_str(line).expect("JSON"))).collect();
    assert_eq!(read.len(), 507);
    assert!(read.iter().all(|logs| !logs.is_empty()));
}

/// Whoever only counts gets the same source and time as whoever reads all of a message that is taken as it is.
#[test]
fn beside_the_body_the_same_is_found_as_with_it() {
    let decoder = Decoder::new(Options { format: Format::None, ..Options::default() });
    let (mut sources, mut times) = (0, 0);
    let captured = fs::read_to_string("tests/captured.jsonl").expect("a file of ours");
    for line in captured.lines() {
        let captured: Json = serde_json::from_str(line).expect("JSON");
        let body = bytes_of(&captured["body"]);
        let message = message(&captured, &body);
        let with_it = decoder.decode(&message).remove(0);
        let found = decoder.beside_body(&message);
        assert_eq!(found, (with_it.source, with_it.timestamp), "{captured}");
        sources += usize::from(found.0.is_some());
        times += usize::from(found.1.is_some());
    }
    assert!(sources > 100 && times > 100, "{sources} sources, {times} times");
}
