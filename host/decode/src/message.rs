//! A message as it came, in terms that every broker and every line of text has. Knows no client of a broker.

use std::borrow::Cow;

use loghost_core::domain::Timestamp;

use crate::value::{Table, Value};

/// A message that is to be read. A line of text is one that has nothing but a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message<'a> {
    /// The exchange it was published to; empty for the default exchange, or where there is none.
    pub exchange: &'a str,
    /// The routing key.
    pub routing_key: &'a str,
    /// The property `content-type`. It does not choose the parser, as it is often wrong; only its charset is heeded.
    pub content_type: Option<&'a str>,
    /// The property `type`.
    pub kind: Option<&'a str>,
    /// The property `app-id`.
    pub app_id: Option<&'a str>,
    /// The property `timestamp`: seconds as AMQP says, milliseconds as some producers write.
    pub timestamp: Option<u64>,
    /// The headers, in order.
    pub headers: Table<'a>,
    /// When it was received. Only a time without a year needs it.
    pub received: Option<Timestamp>,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A message that is this text.
    pub fn of_text(text: &'a str) -> Self {
        Self { body: text.as_bytes(), ..Self::default() }
    }

    /// The first header that has one of these names, in the order of the names.
    pub(crate) fn header(&self, names: &[&str]) -> Option<&Value<'a>> {
        names.iter().find_map(|name| {
            self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    }

    /// The name of a header in lower case, if it is worth an attribute: what transports add for themselves is not.
    pub(crate) fn is_for_attributes(name: &str) -> bool {
        let internal = ["x-mqtt-", "x-amqp-1.0-", "x-death", "x-first-death-", "x-last-death-", "x-opt-"];
        !internal.iter().any(|prefix| name.starts_with(prefix))
            && !matches!(name, "content-length" | "compression" | "timestamp_in_ms" | "CC" | "BCC")
    }
}

/// Lists of code points, as RabbitMQ's own events have, become text.
pub(crate) fn charlists<'a>(headers: &Table<'a>) -> Table<'a> {
    let read = |value: &Value<'a>| match value {
        Value::List(codes) if !codes.is_empty() => {
            let character = |code: &Value<'_>| match code {
                Value::Int(code) => u32::try_from(*code).ok().and_then(char::from_u32),
                _ => None,
            };
            let text: Option<String> = codes.iter().map(character).collect();
            text.filter(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()))
                .map_or_else(|| value.clone(), |text| Value::Text(Cow::Owned(text)))
        }
        other => other.clone(),
    };
    headers.iter().map(|(name, value)| (name.clone(), read(value))).collect()
}
