//! Lines that begin with a time, a level, or both: `2026-11-25 23:06:40 [error] text`, `ERROR: text`, `[ERROR] text`.

use std::borrow::Cow;

use super::{LEVEL, SOURCE, TIME, time_value};
use crate::level;
use crate::time;
use crate::value::{Table, Value};

/// How many words may be between the time and the level: a thread, a process, a logger.
const MOST_WORDS: usize = 4;

/// The time, the level and the rest of a text.
pub(super) fn read(text: &str) -> Option<Table<'_>> {
    let start = text.trim_start();
    if let Some(fields) = ruby(start) {
        return Some(fields);
    }
    let bracketed = start.strip_prefix('[');
    match time::iso(bracketed.unwrap_or(start)) {
        Some((time, rest)) => {
            let rest = if bracketed.is_some() { rest.strip_prefix(']')? } else { rest };
            let mut fields = vec![(TIME.into(), time_value(time))];
            let prefix = &start[..start.len() - rest.len()];
            behind_a_time(prefix, rest, &mut fields);
            Some(fields)
        }
        None => level_first(start),
    }
}

/// `E, [2026-11-25T23:06:40.928615 #5400] ERROR -- shop: text`, as Ruby's Logger writes.
pub(super) fn ruby(text: &str) -> Option<Table<'_>> {
    let (_, rest) = text.split_once(", [").filter(|(initial, _)| initial.len() == 1)?;
    let (time, rest) = time::iso(rest)?;
    let (process, rest) = rest.split_once(']')?;
    let (level, rest) = rest.split_once(" -- ")?;
    let (program, message) = rest.split_once(": ").unwrap_or(("", rest));
    let mut fields = vec![(TIME.into(), time_value(time))];
    let level = level.trim();
    if level != "ANY" {
        fields.push((LEVEL.into(), Value::text(level)));
    }
    if !program.is_empty() {
        fields.push((SOURCE.into(), Value::text(program)));
    }
    if let Some(process) = process.trim().strip_prefix('#') {
        fields.push(("pid".into(), Value::text(process)));
    }
    fields.push(("@message".into(), Value::text(message)));
    Some(fields)
}

/// Looks for the level among the first words behind a time.
fn behind_a_time<'a>(time: &str, text: &'a str, fields: &mut Table<'a>) {
    let start = text.trim_start_matches([' ', '\t', '|', '-', ':']);
    let mut rest = start;
    let mut letters_only = 0;
    for n in 0..MOST_WORDS {
        let line = rest.split('\n').next().unwrap_or(rest);
        let end = line.find([' ', '\t']).unwrap_or(line.len());
        let (word, behind) = rest.split_at(end);
        let (logger, word) = match word.strip_suffix(':').and_then(|word| word.rsplit_once('.')) {
            // Monolog's `shop.ERROR:`.
            Some((logger, level)) if n == 0 => (Some(logger), level),
            _ => (None, word),
        };
        let bare = word.trim_end_matches(':').trim_matches(['[', ']', '(', ')', '<', '>']);
        let is_loud = bare.chars().all(|c| c.is_ascii_uppercase());
        let is_bracketed = word.starts_with(['[', '<']) && word.trim_end_matches(':').ends_with([']', '>']);
        // One word may be a logger; behind more of them it is prose: "there is NO ERROR".
        let is_sure = is_bracketed || (n == 0 && bare.len() < word.len()) || (is_loud && letters_only < 2);
        if level::is_level_of_line(bare) && is_sure {
            fields.push((LEVEL.into(), Value::text(bare)));
            if let Some(logger) = logger {
                fields.push((SOURCE.into(), Value::text(logger)));
            }
            // What is before the level is part of the message, and the level stays between.
            let message = if n == 0 {
                let behind = behind.trim_start_matches([' ', '\t', '|', '-', ':']);
                without_repeated_prefix(time, text, behind)
            } else {
                Cow::Borrowed(start)
            };
            fields.push(("@message".into(), Value::Text(message)));
            return;
        }
        rest = behind.trim_start_matches([' ', '\t', '|', '-']);
        let is_separated = behind.trim_start().len() > rest.len();
        letters_only += usize::from(!is_separated && word.chars().all(char::is_alphabetic));
        if rest.is_empty() || rest.starts_with('\n') {
            break;
        }
    }
    fields.push(("@message".into(), Value::text(start)));
}

/// Without what RabbitMQ writes before each line of a message: the time, the level and the process.
fn without_repeated_prefix<'a>(time: &str, text: &str, message: &'a str) -> Cow<'a, str> {
    let level = &text[..text.len() - message.len()];
    let process = match message.strip_prefix('<').and_then(|rest| rest.split_once("> ")) {
        Some((process, _)) if process.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            &message[..process.len() + 3]
        }
        _ => "",
    };
    if !message.contains('\n') {
        return Cow::Borrowed(message);
    }
    let repeated = format!("\n{time}{level}{process}");
    if message.contains(&repeated) {
        Cow::Owned(message.replace(&repeated, "\n"))
    } else {
        Cow::Borrowed(message)
    }
}

/// `ERROR: text`, `[ERROR] text`, and `ERROR:logger:text`, which is how Python's `logging` writes if it is told nothing else.
fn level_first(text: &str) -> Option<Table<'_>> {
    let (level, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_once(':')?,
    };
    if !level::is_plain_level(level.trim()) {
        return None;
    }
    let mut fields = vec![(LEVEL.into(), Value::text(level.trim()))];
    let mut message = rest;
    if !text.starts_with('[') && !rest.is_empty() && !rest.starts_with([' ', '\n', '\t']) {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_alphabetic() || c == '_') && !name.contains(char::is_whitespace)
        };
        let is_loud = level.bytes().all(|c| c.is_ascii_uppercase());
        let (logger, behind) = rest.split_once(':').filter(|(name, behind)| {
            is_loud && is_name(name) && !behind.starts_with("//") && !behind.starts_with('\\')
        })?;
        fields.push((SOURCE.into(), Value::text(logger)));
        message = behind;
    }
    fields.push(("@message".into(), Value::text(message.trim_start_matches([':', ' ', '\t']))));
    Some(fields)
}
