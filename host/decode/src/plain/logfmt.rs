//! logfmt: `level=error msg="disk full" used=99`.

use std::borrow::Cow;

use crate::value::{Table, Value};

/// When a text is taken for logfmt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// It consists of pairs, of which one is the level or the message, as loggers write it.
    OnlyIfSure,
    /// It has a pair.
    AnyPair,
}

/// More pairs than a log may have attributes.
const MAX_PAIRS: usize = 1000;

/// The pairs of a line. A word without a value is true.
pub(super) fn read(text: &str, strictness: Strictness) -> Option<Table<'_>> {
    let text = text.trim();
    if strictness == Strictness::OnlyIfSure && (text.contains('\n') || !starts_with_a_pair(text)) {
        return None;
    }
    let (mut fields, mut rest) = (Table::new(), text);
    while !rest.is_empty() && fields.len() < MAX_PAIRS {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        let is_key = is_key(key);
        if strictness == Strictness::OnlyIfSure && !is_key {
            return None;
        }
        let Some(value) = behind.strip_prefix('=') else {
            if is_key {
                fields.push((Cow::Borrowed(key), Value::Bool(true)));
            }
            rest = behind.trim_start();
            continue;
        };
        let quoted = value.strip_prefix('"').and_then(quoted);
        let (value, behind) = quoted.unwrap_or_else(|| {
            let end = value.find(char::is_whitespace).unwrap_or(value.len());
            (Cow::Borrowed(&value[..end]), &value[end..])
        });
        if is_key {
            fields.push((Cow::Borrowed(key), Value::Text(value)));
        }
        rest = behind.trim_start();
    }
    let is_pair = |(_, value): &(_, Value<'_>)| matches!(value, Value::Text(_));
    let tells = |(name, value): &(Cow<'_, str>, Value<'_>)| {
        matches!(value, Value::Text(_)) && matches!(&**name, "level" | "lvl" | "msg" | "message" | "severity")
    };
    let is_it = match strictness {
        Strictness::OnlyIfSure => fields.len() > 1 && fields.iter().any(tells),
        Strictness::AnyPair => fields.iter().any(is_pair),
    };
    is_it.then_some(fields)
}

fn starts_with_a_pair(text: &str) -> bool {
    text.split_once('=').is_some_and(|(key, _)| is_key(key))
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= 128 && key.chars().all(|c| c.is_alphanumeric() || "_-./@".contains(c))
}

/// What is before the closing `"`, without its escapes, and what is behind; none if it does not close.
pub(super) fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text[end..].starts_with('"') {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut value = text[..end].to_owned();
    let mut characters = text[end..].char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((Cow::Owned(value), &text[end + at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other @ ('"' | '\\' | ']') => value.push(other),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}
