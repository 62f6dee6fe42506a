//! Records within records: what frameworks and shippers wrap a log in is taken off.

use std::borrow::Cow;
use std::cell::Cell;

use crate::json;
use crate::value::{Table, Value, get, take};

/// How many envelopes may be in each other: a log in a container's log in a shipper's event.
const MOST: usize = 4;

/// What loggers call the level; shippers have a severity or a priority, of what brought the log to them.
const LEVELS: [&str; 7] = ["level", "Level", "levelname", "level_name", "loglevel", "lvl", "@l"];

/// The record without its envelopes. What the envelope says besides comes behind what the record says.
pub(crate) fn open<'a>(mut record: Table<'a>, left: &Cell<usize>) -> Table<'a> {
    for _ in 0..MOST {
        record = match open_one(record, left) {
            Opened::Another(record) => record,
            Opened::Nothing(record) => return record,
        };
    }
    record
}

enum Opened<'a> {
    Another(Table<'a>),
    Nothing(Table<'a>),
}

fn open_one<'a>(mut record: Table<'a>, left: &Cell<usize>) -> Opened<'a> {
    // oslo.messaging: JSON in a string.
    if let Some(inner) = get(&record, "oslo.message").and_then(|text| object(text, left)) {
        take(&mut record, "oslo.message");
        return Opened::Another(joined(inner, record));
    }
    // loguru: the record, and its text, which has the stack trace.
    if is_table(&record, "record") && get(&record, "text").is_some() {
        let text = take(&mut record, "text");
        if let Some(Value::Table(mut inner)) = take(&mut record, "record") {
            for (name, _) in &mut inner {
                if name == "name" {
                    *name = Cow::Borrowed("logger");
                }
            }
            let has_exception = matches!(get(&inner, "exception"), Some(Value::Table(_)));
            if let (true, Some(Value::Text(text))) = (has_exception, text)
                && let Some((_, trace)) = text.split_once('\n')
            {
                let trace = Value::Text(Cow::Owned(trace.trim_end().to_owned()));
                inner.insert(0, (Cow::Borrowed("stack_trace"), trace));
            }
            return Opened::Another(joined(inner, record));
        }
    }
    // Logstash's first format, the `tracing` crate, Serilog's JSON, and what queues notifications or forwards by key.
    let is_told = |names: &[&str]| names.iter().any(|name| get(&record, name).is_some());
    let is_logged = is_told(&LEVELS);
    let inner = [
        ("@fields", true),
        ("fields", !is_told(&["message", "msg"])),
        ("Properties", is_told(&["MessageTemplate"])),
        ("payload", is_told(&["key", "event_type", "publisher_id"])),
    ];
    if let Some((name, _)) = inner.into_iter().find(|(name, is_it)| *is_it && is_table(&record, name))
        && let Some(Value::Table(inner)) = take(&mut record, name)
    {
        // What stands outside of fields is the log's own.
        let joined = if name == "payload" { joined(inner, record) } else { joined(record, inner) };
        return Opened::Another(joined);
    }
    // Docker, Fluentd, Vector, journald: the log is JSON in a string. A logger that says its level has written it as text.
    for (name, is_it) in [("log", true), ("MESSAGE", true), ("message", !is_logged)] {
        if is_it && let Some(inner) = get(&record, name).and_then(|text| object(text, left)) {
            take(&mut record, name);
            return Opened::Another(joined(inner, record));
        }
    }
    Opened::Nothing(record)
}

fn is_table(record: &Table<'_>, name: &str) -> bool {
    matches!(get(record, name), Some(Value::Table(_)))
}

/// The object that is in this text; its own text outlives it not, so that it is copied.
fn object<'a>(text: &Value<'a>, left: &Cell<usize>) -> Option<Table<'a>> {
    let Value::Text(text) = text else { return None };
    if !text.trim_start().starts_with('{') {
        return None;
    }
    match text {
        Cow::Borrowed(text) => into_table(json::parse(text, left)?),
        Cow::Owned(text) => into_table(owned(json::parse(text, left)?)),
    }
}

fn into_table(value: Value<'_>) -> Option<Table<'_>> {
    match value {
        Value::Table(fields) if !fields.is_empty() => Some(fields),
        _ => None,
    }
}

/// The same, borrowing nothing. As deep as `serde_json` reads.
fn owned<'a>(value: Value<'_>) -> Value<'a> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(is) => Value::Bool(is),
        Value::Int(number) => Value::Int(number),
        Value::Unsigned(number) => Value::Unsigned(number),
        Value::Float(number) => Value::Float(number),
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
        Value::List(values) => Value::List(values.into_iter().map(owned).collect()),
        Value::Table(fields) => Value::Table(
            fields.into_iter().map(|(name, value)| (Cow::Owned(name.into_owned()), owned(value))).collect(),
        ),
    }
}

fn joined<'a>(mut first: Table<'a>, then: Table<'a>) -> Table<'a> {
    first.extend(then);
    first
}
