//! Lines of klog and glog, with which Kubernetes and programs of Google log: `E1125 23:06:40.123456   42 disk.go:7] text`
//! (glog, "Log Line Prefix").

use loghost_core::domain::Timestamp;

use super::{LEVEL, TIME, time_value};
use crate::time;
use crate::value::{Table, Value};

/// The level, the time, the thread, the place in the code and the message of a line.
pub(super) fn read(text: &str, received: Option<Timestamp>) -> Option<Table<'_>> {
    let level = match text.bytes().next()? {
        b'I' => "info",
        b'W' => "warning",
        b'E' => "error",
        b'F' => "fatal",
        _ => return None,
    };
    let (time, rest) = time::compact(&text[1..], received)?;
    let (header, message) = rest.split_once(']')?;
    let (thread, caller) = header.trim_start().split_once(' ')?;
    let (_, line) = caller.rsplit_once(':')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(thread) || !is_number(line) || caller.contains(char::is_whitespace) {
        return None;
    }
    let mut fields = vec![(LEVEL.into(), Value::text(level))];
    if let Some(time) = time {
        fields.push((TIME.into(), time_value(time)));
    }
    fields.push(("thread".into(), Value::text(thread)));
    fields.push(("caller".into(), Value::text(caller)));
    fields.push(("@message".into(), Value::text(message.strip_prefix(' ').unwrap_or(message))));
    Some(fields)
}
