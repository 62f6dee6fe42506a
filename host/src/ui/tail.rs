//! How a log is shown as it comes: in a line, or as JSON.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use loghost_core::domain::scenario::word;
use loghost_core::domain::{Record, Severity, printable, printable_line};
use serde_json::{Value, json};

use crate::ui::terminal::{BAD, DIM, texts_json};
use crate::ui::time::date;

/// What is so serious that it must be seen among errors.
const ALARM: Style = AnsiColor::Red.on_default().bold().invert();

/// A log in a line: time, severity, source, message, attributes. Further lines of the message are indented.
pub(crate) fn line(record: &Record) -> String {
    let time = date(record.timestamp, humantime::format_rfc3339_millis);
    let (style, severity) = (style(record.severity), record.severity);
    let source = if record.source.is_empty() { "-".into() } else { printable_line(&record.source) };
    let message = printable(&record.message).replace('\n', "\n  ");
    let mut line = format!("{DIM}{time}{DIM:#} {style}{severity:<8}{style:#} {source}  {message}");
    if !record.attributes.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(line, " {DIM}");
        for (key, value) in &record.attributes {
            let _ = write!(line, " {}={}", printable_line(key), printable_line(&word(value)));
        }
        let _ = write!(line, "{DIM:#}");
    }
    line
}

pub(crate) fn style(severity: Severity) -> Style {
    match severity {
        Severity::Debug => DIM,
        Severity::Info => AnsiColor::Green.on_default(),
        Severity::Error => BAD,
        Severity::Critical => ALARM,
    }
}

/// All that a log says, for programs.
pub(crate) fn object(record: &Record) -> Value {
    json!({
        "timestamp": record.timestamp.as_millis(),
        "severity": record.severity.as_str(),
        "source": record.source,
        "message": record.message,
        "attributes": texts_json(&record.attributes),
        "id": record.id,
        "hops": record.hops,
    })
}
