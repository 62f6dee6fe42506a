//! Writes logs as a scenario has them.

use std::borrow::Cow;
use std::fmt::Write;
use std::num::NonZeroU64;

use super::head::is_blank;
use super::parser::MAX_BYTES;
use super::step::ConsumerRef;
use crate::domain::Log;

/// What a scenario cannot say of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// A scenario has one line for a source and the attributes.
    #[error("its source has a line end in it")]
    SourceLineEnd,
    /// The same, of an attribute's value.
    #[error("the value of its attribute `{0}` has a line end in it")]
    ValueLineEnd(String),
    /// A key has no quotes.
    #[error(
        "the key of its attribute `{0}` has a blank, a line end, `:`, `=` or `\"` in it, or begins with `@`"
    )]
    Key(String),
    /// It is longer than what a scenario reads.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
}

/// The lines of a log that is sent so many times, with their ends: what a scenario's [parser](super::Parser) makes the
/// same log of, but for its `hops`.
pub fn write(log: &Log, times: NonZeroU64) -> Result<String, Unwritable> {
    let mut text = log.severity.as_str().to_owned();
    if times > NonZeroU64::MIN {
        // Writing to a string cannot fail.
        let _ = write!(text, " x{times}");
    }
    if let Some(source) = &log.source {
        if source.as_str().contains('\n') {
            return Err(Unwritable::SourceLineEnd);
        }
        text.push_str(" @");
        text.push_str(&word(source.as_str()));
    }
    for (key, value) in log.attributes.iter() {
        let splits = |c: char| is_blank(c) || matches!(c, ':' | '=' | '"' | '\n');
        if key.starts_with('@') || key.contains(splits) {
            return Err(Unwritable::Key(key.to_owned()));
        }
        if value.contains('\n') {
            return Err(Unwritable::ValueLineEnd(key.to_owned()));
        }
        let _ = write!(text, " {key}={}", word(value));
    }
    text.push(':');
    let mut longest = 0;
    let mut begin = 0;
    for (number, line) in log.message.split('\n').enumerate() {
        if number > 0 {
            begin = text.len();
            text.push('|');
        }
        if !line.is_empty() {
            text.push(' ');
            text.push_str(line);
        }
        // One carriage return at the end of a line is dropped when it is read: the text's own needs another.
        if line.ends_with('\r') {
            text.push('\r');
        }
        longest = longest.max(text.len() - begin);
        text.push('\n');
    }
    if longest > MAX_BYTES || log.message.len() > MAX_BYTES { Err(Unwritable::TooLong) } else { Ok(text) }
}

/// The line that expects a metric of a consumer, with its end.
pub fn write_expectation(consumer: &ConsumerRef) -> String {
    format!("expect {}\n", word(&consumer.to_string()))
}

/// A source or a value as it is written: in quotes, where it is not one word.
pub fn word(text: &str) -> Cow<'_, str> {
    let is_word = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || matches!(c, ':' | '"'));
    if is_word {
        text.into()
    } else {
        format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")).into()
    }
}
