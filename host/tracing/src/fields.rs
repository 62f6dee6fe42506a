//! The fields of an event and its spans, and the log that they make.

use std::fmt::{Debug, Write};

use loghost_core::domain::{Attributes, Log, Severity, Source, Timestamp};
use tracing_core::field::{Field, Visit};
use tracing_core::{Level, Metadata};

/// The longest text of a log, in bytes: what is beyond is cut off, with a word of it.
const LONGEST_TEXT: usize = 1024 * 1024;

/// The longest name of an attribute, in bytes.
const LONGEST_NAME: usize = 128;

/// Names and values, in the order in which they are given. A later value of a name replaces an earlier one.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn set(&mut self, name: &'static str, value: String) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some(entry) => entry.1 = value,
            None => self.0.push((name, value)),
        }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(other, _)| *other == name)?;
        Some(self.0.remove(at).1)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            // Writing to a text cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.set(field.name(), text);
    }
}

/// The log of an event, of which `spans` are the names and fields, from the outermost inwards.
pub(crate) fn log<'a>(
    metadata: &Metadata<'_>,
    mut event: Fields,
    spans: impl DoubleEndedIterator<Item = (&'static str, &'a Fields)> + Clone,
    source: &Source,
    now: Timestamp,
) -> Log {
    let (severity, level) = of_level(*metadata.level());
    let stated =
        event.0.iter().find(|(name, _)| *name == "severity").and_then(|(_, value)| value.parse().ok());
    if stated.is_some() {
        event.take("severity");
    }
    let message = shortened(event.take("message").unwrap_or_default());
    let mut attributes = Attributes::default();
    for (name, value) in &event.0 {
        add(&mut attributes, name, value);
    }
    let names: Vec<_> = spans.clone().map(|(name, _)| name).collect();
    // The innermost first: an attribute that is there stays.
    for (name, value) in spans.rev().flat_map(|(_, fields)| &fields.0) {
        add(&mut attributes, name, value);
    }
    if !names.is_empty() {
        add(&mut attributes, "span", &names.join(":"));
    }
    if let Some(level) = level.filter(|_| stated.is_none()) {
        add(&mut attributes, "level", level);
    }
    add(&mut attributes, "target", metadata.target());
    let severity = stated.unwrap_or(severity);
    Log { severity, message, source: Some(source.clone()), timestamp: Some(now), attributes, hops: 0 }
}

/// The severity of a level, and its word where there is no severity of that name.
fn of_level(level: Level) -> (Severity, Option<&'static str>) {
    match level {
        Level::TRACE => (Severity::Debug, Some("trace")),
        Level::DEBUG => (Severity::Debug, None),
        Level::INFO => (Severity::Info, None),
        Level::WARN => (Severity::Info, Some("warn")),
        Level::ERROR => (Severity::Error, None),
    }
}

/// Adds an attribute, if there is none of this name and room is left.
fn add(attributes: &mut Attributes, name: &str, value: &str) {
    let name = &name[..name.floor_char_boundary(LONGEST_NAME - "field.".len())];
    let name = if Attributes::is_reserved(name) { format!("field.{name}") } else { name.to_owned() };
    // It may be there already, or too large, or without a name: all of these are left out, as documented.
    let _ = attributes.push(name, value);
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let bytes = text.len();
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        // Writing to a text cannot fail.
        let _ = write!(text, "... (cut off: it had {bytes} bytes)");
    }
    text
}
