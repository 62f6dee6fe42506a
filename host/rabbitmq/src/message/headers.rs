//! The properties that a message retains when it is published again, and headers that fit a frame: a content header cannot be
//! split.
//!
//! Knows how AMQP encodes properties; does not know what the headers say.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::message::{record, values};
use crate::topology::delivery_limit::COUNT;

/// The prefix of the header of a property that the broker would act on again.
pub(crate) const ORIGINAL: &str = "loghost-original-";

/// The header that says how many others had no room.
pub(crate) const LEFT_OUT: &str = "loghost-headers-left-out";

/// Whether a broker or loghost acts on the header `key`.
pub(crate) fn acts(key: &str) -> bool {
    matches!(key, "CC" | "BCC" | "x-death" | "x-delay" | "x-delivery-count" | "x-acquired-count")
        || key.starts_with("loghost-")
}

/// The properties that a message retains when it is published again: not its headers, and nothing that the broker would act
/// on again (an expiration, a user id). It becomes persistent.
pub(crate) fn retained(original: &BasicProperties) -> BasicProperties {
    let mut properties = BasicProperties::default().with_delivery_mode(record::PERSISTENT);
    if let Some(value) = original.content_type() {
        properties = properties.with_content_type(value.clone());
    }
    if let Some(value) = original.content_encoding() {
        properties = properties.with_content_encoding(value.clone());
    }
    if let Some(value) = original.message_id() {
        properties = properties.with_message_id(value.clone());
    }
    if let Some(value) = original.timestamp() {
        properties = properties.with_timestamp(*value);
    }
    if let Some(value) = original.app_id() {
        properties = properties.with_app_id(value.clone());
    }
    if let Some(value) = original.correlation_id() {
        properties = properties.with_correlation_id(value.clone());
    }
    if let Some(value) = original.reply_to() {
        properties = properties.with_reply_to(value.clone());
    }
    if let Some(value) = original.kind() {
        properties = properties.with_type(value.clone());
    }
    if let Some(value) = original.priority() {
        properties = properties.with_priority(*value);
    }
    properties
}

/// The properties of a message that is published again to its queue: as they were before it was returned. Those that the
/// broker would act on again become headers, as in a dead letter.
pub(crate) fn renewed(original: &BasicProperties, frame_max: usize) -> BasicProperties {
    let mut properties = retained(original);
    if let Some(expiration) = original.expiration() {
        properties = properties.with_expiration(expiration.clone());
    }
    let mut headers = Headers::beside(&properties, frame_max);
    let given = || original.headers().iter().flat_map(FieldTable::inner);
    for (key, value) in given() {
        match key.as_str() {
            COUNT | "x-acquired-count" => {}
            key @ ("CC" | "BCC") => {
                headers.put(&format!("{ORIGINAL}{key}"), AMQPValue::LongString(values::text(value).into()));
            }
            key => headers.put(key, value.clone()),
        }
    }
    if let Some(user) = original.user_id() {
        headers.put(&format!("{ORIGINAL}user-id"), AMQPValue::LongString(user.as_str().into()));
    }
    properties.with_headers(headers.finish())
}

/// Headers that fit a frame together with the other properties of their message.
pub(crate) struct Headers {
    table: FieldTable,
    room: usize,
    left_out: u32,
}

/// The bytes of a content header beside the properties: those around every frame, then class, weight, size
/// of the body, flags; and the length of the table.
const AROUND: usize = 8 + 14 + 4;

/// Room for the two short headers that may come last: what was left out, and the mark of a replay.
const RESERVED: usize = 64;

impl Headers {
    /// None yet, for a message with `properties` in frames of at most `frame_max` bytes.
    pub(crate) fn beside(properties: &BasicProperties, frame_max: usize) -> Self {
        let taken = AROUND + RESERVED + size_of_properties(properties);
        Self { table: FieldTable::default(), room: frame_max.saturating_sub(taken), left_out: 0 }
    }

    /// Adds a header, if it fits.
    pub(crate) fn put(&mut self, key: &str, value: AMQPValue) {
        let size = 1 + key.len() + size_of(&value);
        match ShortString::try_new(key) {
            Ok(key) if size <= self.room => {
                self.room -= size;
                self.table.insert(key, value);
            }
            _ => self.left_out += 1,
        }
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, key: &str, number: u64) {
        self.put(key, AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    /// Adds the beginning of a text: at most `longest` bytes, and what there is room for.
    pub(crate) fn text(&mut self, key: &str, text: &str, longest: usize) {
        let room = self.room.saturating_sub(1 + key.len() + 5);
        let text = &text[..text.floor_char_boundary(longest.min(room))];
        self.put(key, AMQPValue::LongString(text.into()));
    }

    /// All that had room.
    pub(crate) fn finish(mut self) -> FieldTable {
        if self.left_out > 0 {
            self.table.insert(LEFT_OUT.into(), AMQPValue::LongLongInt(self.left_out.into()));
        }
        self.table
    }
}

/// The bytes of the frame that carries these properties.
#[cfg(test)]
pub(crate) fn size(properties: &BasicProperties) -> usize {
    let headers = properties.headers().clone().unwrap_or_default();
    // A table is as long as its value, without the byte that says its type and with the length in `AROUND`.
    AROUND + size_of_properties(properties) + size_of(&AMQPValue::FieldTable(headers)) - 1 - 4
}

/// The bytes that properties take, but for their headers.
fn size_of_properties(properties: &BasicProperties) -> usize {
    let texts = [
        properties.content_type(),
        properties.content_encoding(),
        properties.correlation_id(),
        properties.reply_to(),
        properties.expiration(),
        properties.message_id(),
        properties.kind(),
        properties.user_id(),
        properties.app_id(),
        properties.cluster_id(),
    ];
    let texts: usize = texts.into_iter().flatten().map(|text| 1 + text.as_str().len()).sum();
    // Delivery mode, priority and timestamp.
    texts + 1 + 1 + 8
}

/// The bytes that a value takes, with the one that says its type.
fn size_of(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Timestamp(_) | AMQPValue::Double(_) => 8,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(text) => 4 + text.len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.len(),
        AMQPValue::FieldArray(values) => 4 + values.as_slice().iter().map(size_of).sum::<usize>(),
        AMQPValue::FieldTable(table) => {
            let entries = table.inner().iter();
            4 + entries.map(|(key, value)| 1 + key.as_str().len() + size_of(value)).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let properties = BasicProperties::default();
        let mut headers = Headers::beside(&properties, AROUND + RESERVED + 10 + 40);
        headers.text("reason", "база недоступна", 9);
        headers.put("large", AMQPValue::LongString("x".repeat(40).into()));
        headers.put(&"k".repeat(256), AMQPValue::Void);
        headers.put("small", AMQPValue::Boolean(true));
        let table = headers.finish();
        assert_eq!(record::header_text(&table, "reason"), Some("база "));
        assert_eq!(record::header_number(&table, LEFT_OUT), Some(2));
        assert!(table.contains_key("small") && !table.contains_key("large"));
    }
}
