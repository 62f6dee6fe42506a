//! What a field of a message holds, whatever it was encoded in. Knows no encoding.

use std::borrow::Cow;
use std::fmt::Write;

/// A header, a member of a JSON object, a field of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that may be above all of [`Value::Int`].
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes; where text is wanted, what is no UTF-8 is replaced.
    Bytes(Cow<'a, [u8]>),
    /// Several values.
    List(Vec<Value<'a>>),
    /// Names and their values, in order.
    Table(Table<'a>),
}

/// Names and their values, in order. A name that is repeated is rightly there twice: the first counts.
pub type Table<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// How many tables and lists may be in each other when they are written out. `serde_json` reads as many.
const DEPTH: usize = 128;

impl<'a> Value<'a> {
    /// Text that is borrowed.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Whether it says nothing: null, or a list or table without values.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(values) => values.is_empty(),
            Self::Table(fields) => fields.is_empty(),
            _ => false,
        }
    }

    /// As text: text as it is, everything else as JSON.
    pub(crate) fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes),
            other => {
                let mut json = String::new();
                other.write_json(&mut json, DEPTH);
                Cow::Owned(json)
            }
        }
    }

    /// As text, without a copy of what is text already.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            other => other.to_text().into_owned(),
        }
    }

    /// The text, if it is text.
    pub(crate) fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Some(String::from_utf8_lossy(bytes)),
            _ => None,
        }
    }

    /// The number, also one that is written as text.
    pub(crate) fn as_number(&self) -> Option<f64> {
        let number = match self {
            // Exact up to 2^53; what lies above is a time in nanoseconds, whose milliseconds are kept.
            #[expect(clippy::cast_precision_loss, reason = "what is lost is less than a millisecond")]
            Self::Int(number) => *number as f64,
            #[expect(clippy::cast_precision_loss, reason = "what is lost is less than a millisecond")]
            Self::Unsigned(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Text(text) if looks_numeric(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    fn write_json(&self, out: &mut String, depth: usize) {
        // Writing to a string cannot fail.
        match self {
            Self::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
            Self::Int(number) => drop(write!(out, "{number}")),
            Self::Unsigned(number) => drop(write!(out, "{number}")),
            Self::Float(number) if number.is_finite() => {
                // Written out, 1e308 has 309 digits.
                let is_short = *number == 0.0 || (1e-5..1e16).contains(&number.abs());
                let _ = if is_short { write!(out, "{number}") } else { write!(out, "{number:e}") };
            }
            Self::Null | Self::Float(_) => out.push_str("null"),
            Self::Text(text) => write_string(text, out),
            Self::Bytes(bytes) => write_string(&String::from_utf8_lossy(bytes), out),
            Self::List(_) | Self::Table(_) if depth == 0 => out.push_str("null"),
            Self::List(values) => {
                out.push('[');
                for (n, value) in values.iter().enumerate() {
                    out.push_str(if n == 0 { "" } else { "," });
                    value.write_json(out, depth - 1);
                }
                out.push(']');
            }
            Self::Table(fields) => write_object(fields, out, depth - 1),
        }
    }
}

/// An object as JSON.
pub(crate) fn json_of(fields: &Table<'_>) -> String {
    let mut json = String::new();
    write_object(fields, &mut json, DEPTH);
    json
}

fn write_object(fields: &Table<'_>, out: &mut String, depth: usize) {
    out.push('{');
    for (n, (name, value)) in fields.iter().enumerate() {
        out.push_str(if n == 0 { "" } else { "," });
        write_string(name, out);
        out.push(':');
        value.write_json(out, depth);
    }
    out.push('}');
}

fn looks_numeric(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
}

fn write_string(text: &str, out: &mut String) {
    // Text can always be written as JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// The value of the first field of this name.
pub(crate) fn get<'t, 'a>(table: &'t Table<'a>, name: &str) -> Option<&'t Value<'a>> {
    table.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// Takes the first field of this name out.
pub(crate) fn take<'a>(table: &mut Table<'a>, name: &str) -> Option<Value<'a>> {
    let at = table.iter().position(|(other, _)| other == name)?;
    Some(table.remove(at).1)
}
