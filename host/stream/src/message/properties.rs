//! The properties of a message (part 3, section 3.2.4): a list of fields, each at its index or absent.

use super::compound::List;
use super::error::MessageError;
use super::value::{Text, Value};

/// The indices of the fields.
const MESSAGE_ID: usize = 0;
const USER_ID: usize = 1;
const TO: usize = 2;
const SUBJECT: usize = 3;
const REPLY_TO: usize = 4;
const CORRELATION_ID: usize = 5;
const CONTENT_TYPE: usize = 6;
const CONTENT_ENCODING: usize = 7;
const ABSOLUTE_EXPIRY_TIME: usize = 8;
const CREATION_TIME: usize = 9;
const GROUP_ID: usize = 10;
const GROUP_SEQUENCE: usize = 11;
const REPLY_TO_GROUP_ID: usize = 12;

/// The constructor of nothing.
const NULL: u8 = 0x40;

/// The id of a message, or of what it answers (part 3, section 3.2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageId<'a> {
    /// A number.
    Ulong(u64),
    /// A UUID, as its bytes.
    Uuid([u8; 16]),
    /// Bytes.
    Binary(&'a [u8]),
    /// Text: what AMQP 0-9-1 has.
    String(Text<'a>),
}

/// The properties of a message. Each method reads the field when it is called, and steps over those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a>(List<'a>);

/// Methods for the fields that are there, each of one type.
macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $of:ident at $index:ident;)+) => {
        $(
            $(#[doc = $doc])+
            ///
            /// # Errors
            /// If it is of another type, or what is before it cannot be read.
            #[inline]
            pub fn $name(&self) -> Result<Option<$type>, MessageError> {
                self.field($index, $of)
            }
        )+
    };
}

impl<'a> Properties<'a> {
    #[inline]
    pub(super) fn new(list: List<'a>) -> Self {
        Self(list)
    }

    fields! {
        /// Its id.
        message_id: MessageId<'a> = id at MESSAGE_ID;
        /// Whose connection published it; the broker has checked it.
        user_id: &'a [u8] = bytes at USER_ID;
        /// What it was sent to.
        to: Text<'a> = text at TO;
        /// What it is about.
        subject: Text<'a> = text at SUBJECT;
        /// Where answers go.
        reply_to: Text<'a> = text at REPLY_TO;
        /// The id of what it answers.
        correlation_id: MessageId<'a> = id at CORRELATION_ID;
        /// The MIME type of its body.
        content_type: Text<'a> = text at CONTENT_TYPE;
        /// How its body is encoded.
        content_encoding: Text<'a> = text at CONTENT_ENCODING;
        /// When it expires: milliseconds since 1970.
        absolute_expiry_time: i64 = time at ABSOLUTE_EXPIRY_TIME;
        /// When it was made: milliseconds since 1970. Of AMQP 0-9-1's timestamp, which is in seconds, the broker makes
        /// whole seconds.
        creation_time: i64 = time at CREATION_TIME;
        /// The group that it is of; what comes over AMQP 0-9-1 has its `app-id` here.
        group_id: Text<'a> = text at GROUP_ID;
        /// Its number in its group.
        group_sequence: u32 = number at GROUP_SEQUENCE;
        /// The group that answers are of.
        reply_to_group_id: Text<'a> = text at REPLY_TO_GROUP_ID;
    }

    #[inline]
    fn field<T>(&self, index: usize, of: fn(Value<'a>) -> Field<T>) -> Result<Option<T>, MessageError> {
        match self.0.get_raw(index)? {
            None => Ok(None),
            Some(raw) if raw.code() == NULL => Ok(None),
            Some(raw) => of(Value::of(&raw)?).map(Some).map_err(|expected| raw.unexpected(expected)),
        }
    }
}

/// The types of fields: what is of another says what it should be.
type Field<T> = Result<T, &'static str>;

#[inline]
fn id(value: Value<'_>) -> Field<MessageId<'_>> {
    Ok(match value {
        Value::Ulong(number) => MessageId::Ulong(number),
        Value::Uuid(bytes) => MessageId::Uuid(bytes),
        Value::Binary(bytes) => MessageId::Binary(bytes),
        Value::String(text) => MessageId::String(text),
        _ => return Err("a message id"),
    })
}

#[inline]
fn bytes(value: Value<'_>) -> Field<&[u8]> {
    if let Value::Binary(bytes) = value { Ok(bytes) } else { Err("binary") }
}

/// A string, or a symbol: producers confuse them.
#[inline]
fn text(value: Value<'_>) -> Field<Text<'_>> {
    value.as_text().ok_or("a string")
}

#[inline]
fn time(value: Value<'_>) -> Field<i64> {
    if let Value::Timestamp(time) = value { Ok(time) } else { Err("a timestamp") }
}

#[inline]
fn number(value: Value<'_>) -> Field<u32> {
    if let Value::Uint(number) = value { Ok(number) } else { Err("a uint") }
}
