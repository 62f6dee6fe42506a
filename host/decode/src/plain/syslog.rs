//! Syslog: RFC 5424, and what RFC 3164 found in use. Lenient, as senders are: fields may be empty or missing.

use std::borrow::Cow;

use loghost_core::domain::Timestamp;

use super::{LEVEL, SOURCE, TIME, time_value};
use crate::level::{self, Scale};
use crate::time;
use crate::value::{Table, Value};

/// A message that begins with its priority: `<27>`.
pub(super) fn with_priority(text: &str, received: Option<Timestamp>) -> Option<Table<'_>> {
    let (priority, rest) = text.strip_prefix('<')?.split_once('>')?;
    if priority.len() > 3 || !priority.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let priority: u16 = priority.parse().ok()?;
    // 23 is the last facility (RFC 5424, section 6.2.1).
    if priority > 191 {
        return None;
    }
    let severity = level::name_of(f64::from(priority % 8), Scale::Syslog)?;
    let mut fields = vec![
        (LEVEL.into(), Value::text(severity)),
        ("facility".into(), Value::text(FACILITIES[usize::from(priority / 8)])),
    ];
    match rest.strip_prefix("1 ") {
        Some(rest) => rfc5424(rest, &mut fields),
        None => match header(rest, received) {
            Some(header) => fields.extend(header),
            None => tagged(rest, &mut fields),
        },
    }
    Some(fields)
}

/// A line of a file that a syslog daemon writes: without the priority.
pub(super) fn of_a_file(text: &str, received: Option<Timestamp>) -> Option<Table<'_>> {
    let fields = header(text, received)?;
    fields.iter().any(|(name, _)| name == SOURCE).then_some(fields)
}

/// `Nov 25 23:06:40 web-1 shop[42]: text` (RFC 3164, section 4.1), also with an ISO time.
fn header(text: &str, received: Option<Timestamp>) -> Option<Table<'_>> {
    let mut fields = Table::new();
    let rest = if let Some((time, rest)) = time::prefix(text, received) {
        fields.push((TIME.into(), time_value(time)));
        rest
    } else {
        time::behind_bsd(text)?
    };
    let (host, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
    let is_level = level::is_plain_level(host);
    if host.is_empty()
        || host.ends_with(':')
        || is_level
        || !host.chars().all(|c| c.is_alphanumeric() || ".-_:".contains(c))
    {
        return None;
    }
    fields.push(("host".into(), Value::text(host)));
    tagged(rest, &mut fields);
    Some(fields)
}

/// `shop[42]: text`.
fn tagged<'a>(text: &'a str, fields: &mut Table<'a>) {
    let tag = text.split_once(':').filter(|(tag, _)| {
        let is_tag = |c: char| c.is_alphanumeric() || "-_./[]()".contains(c);
        !tag.is_empty() && tag.len() <= 64 && tag.chars().all(is_tag)
    });
    let Some((tag, message)) = tag.filter(|(_, message)| message.is_empty() || message.starts_with(' '))
    else {
        fields.push(("@message".into(), Value::text(text)));
        return;
    };
    let (program, process) = match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((program, process)) => (program, Some(process)),
        None => (tag, None),
    };
    fields.push((SOURCE.into(), Value::text(program)));
    if let Some(process) = process {
        fields.push(("pid".into(), Value::text(process)));
    }
    fields.push(("@message".into(), Value::text(message.strip_prefix(' ').unwrap_or(message))));
}

/// What follows `<27>1 ` (RFC 5424, section 6).
fn rfc5424<'a>(text: &'a str, fields: &mut Table<'a>) {
    let mut rest = text;
    let mut next = || {
        let (field, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = behind;
        Some(field).filter(|field| !field.is_empty() && *field != "-")
    };
    let (time, host, program, process, id) = (next(), next(), next(), next(), next());
    if let Some((time, "")) = time.and_then(time::iso) {
        fields.push((TIME.into(), time_value(time)));
    }
    for (name, value) in [("host", host), (SOURCE, program), ("pid", process), ("msgid", id)] {
        fields.extend(value.map(|value| (Cow::Borrowed(name), Value::text(value))));
    }
    let message = match rest.strip_prefix('-') {
        Some(message) if message.is_empty() || message.starts_with(' ') => message,
        _ => structured(rest, fields),
    };
    let message = message.strip_prefix(' ').unwrap_or(message);
    fields.push(("@message".into(), Value::text(message.trim_start_matches('\u{feff}'))));
}

/// Reads `[id name="value" ...]...` (section 6.3), and returns what is behind; all, if it is not well formed.
fn structured<'a>(text: &'a str, fields: &mut Table<'a>) -> &'a str {
    let (mut rest, before) = (text, fields.len());
    while let Some(element) = rest.strip_prefix('[') {
        let Some(behind) = element_of(element, fields) else {
            fields.truncate(before);
            return text;
        };
        rest = behind;
    }
    rest
}

/// The longest id of an element. The standard has 32 (RFC 5424, section 6.3.2), and an attribute's key 128.
const LONGEST_ID: usize = 128;

/// More parameters than a log may have attributes.
const MAX_PARAMETERS: usize = 1000;

/// The parameters of one element, whose names get its id; what is behind its `]`.
fn element_of<'a>(text: &'a str, fields: &mut Table<'a>) -> Option<&'a str> {
    let end = text.find([' ', ']']).filter(|end| *end <= LONGEST_ID)?;
    let (id, mut rest) = text.split_at(end);
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(behind) = rest.strip_prefix(']') {
            return Some(behind);
        }
        let (name, value) = rest.split_once("=\"")?;
        let (value, behind) = super::logfmt::quoted(value)?;
        if fields.len() < MAX_PARAMETERS {
            fields.push((Cow::Owned(format!("{id}.{name}")), Value::Text(value)));
        }
        rest = behind;
    }
}

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
