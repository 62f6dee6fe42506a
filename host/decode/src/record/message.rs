//! Which field is the message, and what its text is.

use std::borrow::Cow;
use std::collections::HashMap;

use super::leaves::Leaf;
use super::roles::Role;
use crate::value::{Table, Value, get};

/// The message of a record.
pub(super) struct FoundMessage {
    pub(super) text: String,
    /// Which field it is of; none if it is the whole record.
    pub(super) from: Option<usize>,
}

/// The message of a record of journald without its message (systemd, Journal JSON Format).
const LEFT_OUT: &str =
    "(journalctl has left out the message, which has more than 4096 bytes: it writes it with --all)";

/// The message of a record; the whole of it, if it has none.
pub(super) fn of(record: &Table<'_>, leaves: &[Leaf<'_, '_>], whole: &str) -> FoundMessage {
    // A container writes empty lines too.
    let is_of_container = ["log", "stream"].iter().all(|name| get(record, name).is_some());
    let says = leaves.iter().filter_map(|leaf| {
        let is_message = match leaf.role? {
            (Role::Message, _) => !matches!(leaf.value, Value::Bool(_)),
            (Role::Text, _) => matches!(leaf.value, Value::Text(_)),
            (Role::Parts, _) => matches!(leaf.value, Value::List(_)) && get(record, "categoryName").is_some(),
            _ => false,
        };
        let is_empty = leaf.value.as_text().is_some_and(|text| text.trim().is_empty());
        let may_be_empty = is_of_container && &*leaf.path == "log";
        (is_message && (may_be_empty || !is_empty)).then_some((is_empty, leaf.rank(), leaf))
    });
    let Some((_, _, leaf)) = says.min_by_key(|(is_empty, rank, _)| (*is_empty, *rank)) else {
        let is_left_out =
            || get(record, "MESSAGE") == Some(&Value::Null) && get(record, "__CURSOR").is_some();
        let text = match &**record {
            // A text that says nothing is one all the same.
            [(name, Value::Text(text))] if name == "@message" => text,
            _ if is_left_out() => LEFT_OUT,
            _ => whole,
        };
        return FoundMessage { text: without_end(text), from: None };
    };
    let text = match (&*leaf.path, leaf.value) {
        ("MESSAGE", Value::List(bytes)) => bytes_of_journald(bytes),
        ("msg", value) => unmerged(record, value),
        ("@mt", value) => rendered(record, value),
        ("data", Value::List(parts)) => Some(joined(parts)),
        _ => None,
    };
    let text = text.unwrap_or_else(|| without_end(&leaf.value.to_text()));
    FoundMessage { text, from: Some(leaf.index()) }
}

fn without_end(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).to_owned()
}

/// log4js has what it was called with as a list, and writes it with spaces between.
fn joined(parts: &[Value<'_>]) -> String {
    let parts: Vec<Cow<'_, str>> = parts.iter().map(Value::to_text).collect();
    without_end(&parts.join(" "))
}

/// What is no UTF-8, journald writes as a list of bytes (systemd, Journal JSON Format).
fn bytes_of_journald(bytes: &[Value<'_>]) -> Option<String> {
    let byte = |value: &Value<'_>| match value {
        Value::Int(byte) => u8::try_from(*byte).ok(),
        _ => None,
    };
    let bytes: Vec<u8> = bytes.iter().map(byte).collect::<Option<_>>()?;
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Python's message with its arguments, if they are certainly not merged: each has a conversion without flags, and there
/// is no other. "100% done" with leftover arguments stays as it is.
fn unmerged(record: &Table<'_>, message: &Value<'_>) -> Option<String> {
    let Value::Text(message) = message else { return None };
    let Some(Value::List(arguments)) = get(record, "args") else { return None };
    if arguments.is_empty() || (get(record, "levelname").is_none() && get(record, "levelno").is_none()) {
        return None;
    }
    let mut arguments = arguments.iter();
    let mut merged = String::new();
    let mut rest = &**message;
    while let Some(at) = rest.find('%') {
        merged.push_str(&rest[..at]);
        match rest.as_bytes().get(at + 1)? {
            b'%' => merged.push('%'),
            b's' | b'd' | b'i' | b'r' | b'f' | b'g' => merged.push_str(&arguments.next()?.to_text()),
            _ => return None,
        }
        rest = &rest[at + 2..];
    }
    merged.push_str(rest);
    arguments.next().is_none().then_some(merged)
}

/// The most bytes that properties may add to a template: what is longer is left as the template.
const MOST_ADDED: usize = 64 << 10;

/// Serilog's template with its properties (CLEF: `@mt`, and `@r` for those that have a format).
fn rendered(record: &Table<'_>, template: &Value<'_>) -> Option<String> {
    let Value::Text(template) = template else { return None };
    let mut formatted = match get(record, "@r") {
        Some(Value::List(rendered)) => rendered.iter(),
        _ => [].iter(),
    };
    // The first of a name counts.
    let properties: HashMap<&str, &Value<'_>> =
        record.iter().rev().map(|(name, value)| (&**name, value)).collect();
    let mut text = String::new();
    let mut rest = &**template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let (brace, behind) = rest[at..].split_at(1);
        if behind.starts_with(brace) {
            text.push_str(brace);
            rest = &behind[1..];
            continue;
        }
        let end = behind.find(['{', '}']).filter(|end| brace == "{" && behind[*end..].starts_with('}'));
        let Some(end) = end else {
            text.push_str(brace);
            rest = behind;
            continue;
        };
        let hole = &behind[..end];
        let (name, format) = hole.split_once([':', ',']).map_or((hole, false), |(name, _)| (name, true));
        let value = properties.get(name.trim_start_matches(['@', '$'])).copied();
        let value = if format { formatted.next().or(value) } else { value };
        match value {
            Some(value) => text.push_str(&value.to_text()),
            None => text.extend(["{", hole, "}"]),
        }
        if text.len() > template.len() + MOST_ADDED {
            return None;
        }
        rest = &behind[end + 1..];
    }
    text.push_str(rest);
    Some(text)
}
