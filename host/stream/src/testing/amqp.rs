//! An encoder of AMQP 1.0 values.

use crate::{MessageError, Value};

/// A value that owns what it holds. Its types are those of [`Value`].
#[derive(Clone, Debug, PartialEq)]
pub enum Amqp {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// 8 bits, unsigned.
    Ubyte(u8),
    /// 16 bits, unsigned.
    Ushort(u16),
    /// 32 bits, unsigned.
    Uint(u32),
    /// 64 bits, unsigned.
    Ulong(u64),
    /// 8 bits.
    Byte(i8),
    /// 16 bits.
    Short(i16),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// A floating-point number of 32 bits.
    Float(f32),
    /// A floating-point number of 64 bits.
    Double(f64),
    /// A decimal number of 32 bits.
    Decimal32([u8; 4]),
    /// A decimal number of 64 bits.
    Decimal64([u8; 8]),
    /// A decimal number of 128 bits.
    Decimal128([u8; 16]),
    /// A character.
    Char(char),
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// A UUID.
    Uuid([u8; 16]),
    /// Bytes.
    Binary(Vec<u8>),
    /// Text.
    String(String),
    /// A name.
    Symbol(String),
    /// Values of any types.
    List(Vec<Amqp>),
    /// Keys and values of any types.
    Map(Vec<(Amqp, Amqp)>),
    /// Values that are all of the type that the first is of.
    Array(Vec<Amqp>),
    /// A descriptor, and the value that it describes.
    Described(Box<Amqp>, Box<Amqp>),
}

/// Which of several forms of a value an encoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The shortest.
    Compact,
    /// The longest.
    Wide,
}

impl Amqp {
    /// The value as bytes, behind `into`.
    pub fn encode(&self, width: Width, into: &mut Vec<u8>) {
        let (constructor, body) = self.parts(width);
        into.extend(constructor);
        into.extend(body);
    }

    /// The constructor, and what is behind it.
    fn parts(&self, width: Width) -> (Vec<u8>, Vec<u8>) {
        let compact = width == Width::Compact;
        let plain = |code: u8, body: &[u8]| (vec![code], body.to_vec());
        match self {
            Self::Null => plain(0x40, &[]),
            Self::Bool(value) if compact => plain(if *value { 0x41 } else { 0x42 }, &[]),
            Self::Bool(value) => plain(0x56, &[u8::from(*value)]),
            Self::Ubyte(value) => plain(0x50, &[*value]),
            Self::Ushort(value) => plain(0x60, &value.to_be_bytes()),
            Self::Uint(0) if compact => plain(0x43, &[]),
            Self::Uint(value) => match u8::try_from(*value) {
                Ok(small) if compact => plain(0x52, &[small]),
                _ => plain(0x70, &value.to_be_bytes()),
            },
            Self::Ulong(0) if compact => plain(0x44, &[]),
            Self::Ulong(value) => match u8::try_from(*value) {
                Ok(small) if compact => plain(0x53, &[small]),
                _ => plain(0x80, &value.to_be_bytes()),
            },
            Self::Byte(value) => plain(0x51, &value.to_be_bytes()),
            Self::Short(value) => plain(0x61, &value.to_be_bytes()),
            Self::Int(value) => match i8::try_from(*value) {
                Ok(small) if compact => plain(0x54, &small.to_be_bytes()),
                _ => plain(0x71, &value.to_be_bytes()),
            },
            Self::Long(value) => match i8::try_from(*value) {
                Ok(small) if compact => plain(0x55, &small.to_be_bytes()),
                _ => plain(0x81, &value.to_be_bytes()),
            },
            Self::Float(value) => plain(0x72, &value.to_be_bytes()),
            Self::Double(value) => plain(0x82, &value.to_be_bytes()),
            Self::Decimal32(bytes) => plain(0x74, bytes),
            Self::Decimal64(bytes) => plain(0x84, bytes),
            Self::Decimal128(bytes) => plain(0x94, bytes),
            Self::Char(value) => plain(0x73, &u32::from(*value).to_be_bytes()),
            Self::Timestamp(value) => plain(0x83, &value.to_be_bytes()),
            Self::Uuid(bytes) => plain(0x98, bytes),
            Self::Binary(bytes) => variable(0xa0, bytes, width),
            Self::String(text) => variable(0xa1, text.as_bytes(), width),
            Self::Symbol(text) => variable(0xa3, text.as_bytes(), width),
            Self::List(values) if values.is_empty() && compact => plain(0x45, &[]),
            Self::List(values) => compound(0xc0, values.len(), &all(values, width), width),
            Self::Map(pairs) => {
                let pairs = pairs.iter().flat_map(|(key, value)| [key, value]);
                let pairs: Vec<Self> = pairs.cloned().collect();
                compound(0xc1, pairs.len(), &all(&pairs, width), width)
            }
            Self::Array(values) => {
                // Wide, all values of a type have the same constructor.
                let mut body = values.first().unwrap_or(&Self::Null).parts(Width::Wide).0;
                body.extend(values.iter().flat_map(|value| value.parts(Width::Wide).1));
                compound(0xe0, values.len(), &body, width)
            }
            Self::Described(descriptor, value) => {
                let mut constructor = vec![0];
                descriptor.encode(width, &mut constructor);
                let (inner, body) = value.parts(width);
                constructor.extend(inner);
                (constructor, body)
            }
        }
    }

    /// A value that was read, with everything in it.
    ///
    /// # Errors
    /// If something in it cannot be read. Text that is not UTF-8 becomes text with U+FFFD.
    pub fn of(value: Value<'_>) -> Result<Self, MessageError> {
        let owned = |value: Result<Value<'_>, MessageError>| Self::of(value?);
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Ubyte(value) => Self::Ubyte(value),
            Value::Ushort(value) => Self::Ushort(value),
            Value::Uint(value) => Self::Uint(value),
            Value::Ulong(value) => Self::Ulong(value),
            Value::Byte(value) => Self::Byte(value),
            Value::Short(value) => Self::Short(value),
            Value::Int(value) => Self::Int(value),
            Value::Long(value) => Self::Long(value),
            Value::Float(value) => Self::Float(value),
            Value::Double(value) => Self::Double(value),
            Value::Decimal32(bytes) => Self::Decimal32(bytes),
            Value::Decimal64(bytes) => Self::Decimal64(bytes),
            Value::Decimal128(bytes) => Self::Decimal128(bytes),
            Value::Char(value) => Self::Char(value),
            Value::Timestamp(value) => Self::Timestamp(value),
            Value::Uuid(bytes) => Self::Uuid(bytes),
            Value::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Value::String(text) => Self::String(text.to_string_lossy().into_owned()),
            Value::Symbol(text) => Self::Symbol(text.to_string_lossy().into_owned()),
            Value::List(list) => Self::List(list.iter().map(owned).collect::<Result<_, _>>()?),
            Value::Map(map) => {
                let pair = |pair: Result<(Value<'_>, Value<'_>), _>| {
                    pair.and_then(|(key, value)| Ok((Self::of(key)?, Self::of(value)?)))
                };
                Self::Map(map.iter().map(pair).collect::<Result<_, _>>()?)
            }
            Value::Array(array) => Self::Array(array.iter().map(owned).collect::<Result<_, _>>()?),
            Value::Described(described) => {
                Self::Described(Box::new(owned(described.descriptor())?), Box::new(owned(described.value())?))
            }
        })
    }
}

impl From<&str> for Amqp {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

/// Values one behind the other.
fn all(values: &[Amqp], width: Width) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        value.encode(width, &mut bytes);
    }
    bytes
}

/// Bytes behind their length; `code` is that of the short form.
fn variable(code: u8, bytes: &[u8], width: Width) -> (Vec<u8>, Vec<u8>) {
    match u8::try_from(bytes.len()) {
        Ok(length) if width == Width::Compact => (vec![code], [&[length], bytes].concat()),
        _ => (vec![code + 0x10], [&long(bytes.len()), bytes].concat()),
    }
}

/// Elements behind their size and number; `code` is that of the short form.
fn compound(code: u8, number: usize, elements: &[u8], width: Width) -> (Vec<u8>, Vec<u8>) {
    match (u8::try_from(elements.len() + 1), u8::try_from(number)) {
        (Ok(size), Ok(number)) if width == Width::Compact => {
            (vec![code], [&[size, number], elements].concat())
        }
        _ => (vec![code + 0x10], [&long(elements.len() + 4), &long(number), elements].concat()),
    }
}

/// A length of 32 bits.
fn long(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a test's length fits 32 bits").to_be_bytes()
}
