//! Lines of text become fields: syslog, logfmt, and lines that begin with a time and a level. A bare first word is no
//! level: "debug output is off" is a text.

mod klog;
mod leading;
mod logfmt;
mod syslog;

use std::borrow::Cow;

use loghost_core::domain::Timestamp;

use crate::options::Format;
use crate::time;
use crate::value::{Table, Value, get};

/// Where what was told by the text's own form stands: before every other name of the same meaning.
pub(crate) const LEVEL: &str = "@level";
pub(crate) const TIME: &str = "@time";
pub(crate) const SOURCE: &str = "@program";

/// The fields of a text, with its message as `@message`; none if it has no form.
pub(crate) fn read(text: &str, format: Format, received: Option<Timestamp>) -> Option<Table<'_>> {
    match format {
        Format::Auto => syslog::with_priority(text, received)
            .or_else(|| logfmt::read(text, logfmt::Strictness::OnlyIfSure))
            .or_else(|| syslog::of_a_file(text, received))
            .or_else(|| klog::read(text, received))
            .or_else(|| leading::read(text)),
        Format::Syslog => syslog::with_priority(text, received).or_else(|| syslog::of_a_file(text, received)),
        Format::Logfmt => logfmt::read(text, logfmt::Strictness::AnyPair),
        Format::Text => klog::read(text, received).or_else(|| leading::read(text)),
        Format::Json | Format::Gelf | Format::Otlp | Format::None => None,
    }
}

/// The form of a text, as [`Format::Auto`] tells it.
pub(crate) fn form(text: &str) -> Form {
    if syslog::with_priority(text, None).is_some() {
        Form::Syslog
    } else if logfmt::read(text, logfmt::Strictness::OnlyIfSure).is_some() {
        Form::Logfmt
    } else if syslog::of_a_file(text, None).is_some() {
        Form::Syslog
    } else if leading::ruby(text.trim_start()).is_some() {
        Form::Ruby
    } else if klog::read(text, None).is_some() {
        Form::Klog
    } else if container_line(text).is_some() {
        Form::Container
    } else {
        Form::Text
    }
}

/// What a text may be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Syslog,
    Logfmt,
    /// Lines of Ruby's `Logger`.
    Ruby,
    /// Lines of klog and glog.
    Klog,
    /// Lines of Kubernetes' log files.
    Container,
    /// Any other text.
    Text,
}

/// `2026-11-25T23:06:40.123456789Z stderr F text`, a line of a container's log file in Kubernetes (CRI, "container log
/// format"), whose text has a form of its own. Of a line that is cut, the parts are logs each.
pub(crate) fn container_line(text: &str) -> Option<Table<'_>> {
    let (time, rest) = time::iso(text)?;
    let (stream, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
    let (tags, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_tag = |tag: &str| matches!(tag, "F" | "P");
    if !matches!(stream, "stdout" | "stderr") || !tags.split(':').next().is_some_and(is_tag) {
        return None;
    }
    let field = |name, value| (Cow::Borrowed(name), value);
    let mut fields = vec![field("time", time_value(time)), field("stream", Value::text(stream))];
    fields.push(field("log", Value::text(text)));
    Some(fields)
}

/// The same of a text that is a field of a record, where prose is more likely: "error: disk full" is one.
pub(crate) fn read_field(text: &str, received: Option<Timestamp>) -> Option<Table<'_>> {
    let fields = read(text, Format::Auto, received)?;
    let is_marked =
        fields.iter().any(|(name, _)| name != LEVEL && name != "@message") || text.starts_with('[');
    let is_loud = |level: &str| level.chars().all(|c| c.is_ascii_uppercase());
    let is_sure = is_marked || matches!(get(&fields, LEVEL), Some(Value::Text(level)) if is_loud(level));
    is_sure.then_some(fields)
}

/// A time that was read, as a field's value.
fn time_value<'a>(time: Timestamp) -> Value<'a> {
    i64::try_from(time.as_millis()).map_or(Value::Null, Value::Int)
}

/// Without the escape sequences that colour a text for a terminal (ECMA-48, section 5.4: CSI).
pub(crate) fn uncoloured(text: &str) -> Cow<'_, str> {
    if !text.contains("\u{1b}[") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end = sequence.find(|c: char| !matches!(c, '0'..='?' | ' '..='/'));
        // Only what sets colours and the like goes; anything else is part of the text.
        match end {
            Some(end) if sequence[end..].starts_with('m') => rest = &sequence[end + 1..],
            _ => {
                plain.push_str("\u{1b}[");
                rest = sequence;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
