//! A value of any type of AMQP 1.0 (part 1, section 1.6).

use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;

use super::array::{Array, Described};
use super::compound::{List, Map};
use super::error::{MessageError, Problem};
use super::reader::{Constructor, DESCRIBED, Raw, Reader};

/// A value. What holds others is read when somebody goes over it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
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
    /// A decimal number of 32 bits (IEEE 754-2008, binary integer encoding), as its bytes.
    Decimal32([u8; 4]),
    /// A decimal number of 64 bits, as its bytes.
    Decimal64([u8; 8]),
    /// A decimal number of 128 bits, as its bytes.
    Decimal128([u8; 16]),
    /// A character.
    Char(char),
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// A UUID, as its bytes.
    Uuid([u8; 16]),
    /// Bytes.
    Binary(&'a [u8]),
    /// Text.
    String(Text<'a>),
    /// A name out of some set of names.
    Symbol(Text<'a>),
    /// Values of any types.
    List(List<'a>),
    /// Keys and values of any types.
    Map(Map<'a>),
    /// Values of one type.
    Array(Array<'a>),
    /// A value with a descriptor that says what it means.
    Described(Described<'a>),
}

impl<'a> Value<'a> {
    /// The next value.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>, depth: u8) -> Result<Self, MessageError> {
        Self::of(&Raw::read(reader, depth)?)
    }

    pub(super) fn of(raw: &Raw<'a>) -> Result<Self, MessageError> {
        let mut body = raw.body;
        Ok(match raw.code() {
            DESCRIBED => Self::Described(Described(*raw)),
            0x40 => Self::Null,
            0x41 => Self::Bool(true),
            0x42 => Self::Bool(false),
            0x43 => Self::Uint(0),
            0x44 => Self::Ulong(0),
            0x45 | 0xc0 | 0xd0 => Self::List(List::of(raw)?),
            0x50 => Self::Ubyte(body.u8()?),
            0x51 => Self::Byte(i8::from_be_bytes(body.array()?)),
            0x52 => Self::Uint(u32::from(body.u8()?)),
            0x53 => Self::Ulong(u64::from(body.u8()?)),
            0x54 => Self::Int(i32::from(i8::from_be_bytes(body.array()?))),
            0x55 => Self::Long(i64::from(i8::from_be_bytes(body.array()?))),
            0x56 => match body.u8()? {
                0 => Self::Bool(false),
                1 => Self::Bool(true),
                other => return Err(raw.body.error(Problem::Bool(other))),
            },
            0x60 => Self::Ushort(u16::from_be_bytes(body.array()?)),
            0x61 => Self::Short(i16::from_be_bytes(body.array()?)),
            0x70 => Self::Uint(body.u32()?),
            0x71 => Self::Int(i32::from_be_bytes(body.array()?)),
            0x72 => Self::Float(f32::from_be_bytes(body.array()?)),
            0x73 => {
                let number = body.u32()?;
                let char = char::from_u32(number);
                Self::Char(char.ok_or_else(|| raw.body.error(Problem::Char(number)))?)
            }
            0x74 => Self::Decimal32(body.array()?),
            0x80 => Self::Ulong(u64::from_be_bytes(body.array()?)),
            0x81 => Self::Long(i64::from_be_bytes(body.array()?)),
            0x82 => Self::Double(f64::from_be_bytes(body.array()?)),
            0x83 => Self::Timestamp(i64::from_be_bytes(body.array()?)),
            0x84 => Self::Decimal64(body.array()?),
            0x94 => Self::Decimal128(body.array()?),
            0x98 => Self::Uuid(body.array()?),
            0xa0 | 0xb0 => Self::Binary(body.bytes()),
            0xa1 | 0xb1 => Self::String(Text(body.bytes())),
            0xa3 | 0xb3 => Self::Symbol(Text(body.bytes())),
            0xc1 | 0xd1 => Self::Map(Map::of(raw)?),
            0xe0 | 0xf0 => Self::Array(Array::of(raw)?),
            other => return Err(raw.body.error(Problem::Type(other))),
        })
    }

    /// The text of a string or symbol.
    #[inline]
    pub fn as_text(&self) -> Option<Text<'a>> {
        match self {
            Self::String(text) | Self::Symbol(text) => Some(*text),
            _ => None,
        }
    }

    /// A whole number of any type that fits, or the milliseconds of a timestamp.
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Ubyte(number) => Some(i64::from(number)),
            Self::Ushort(number) => Some(i64::from(number)),
            Self::Uint(number) => Some(i64::from(number)),
            Self::Ulong(number) => i64::try_from(number).ok(),
            Self::Byte(number) => Some(i64::from(number)),
            Self::Short(number) => Some(i64::from(number)),
            Self::Int(number) => Some(i64::from(number)),
            Self::Long(number) | Self::Timestamp(number) => Some(number),
            _ => None,
        }
    }
}

/// A value as elements of an array have it: the constructor apart from the bytes.
pub(super) fn element<'a>(
    constructor: Constructor<'a>,
    body: Reader<'a>,
    depth: u8,
) -> Result<Value<'a>, MessageError> {
    Value::of(&Raw { constructor, body, depth })
}

/// Text, which should be UTF-8. It is not checked before somebody asks: what comes over AMQP 0-9-1 may be any bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// The bytes.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    #[inline]
    pub fn to_str(self) -> Result<&'a str, Utf8Error> {
        str::from_utf8(self.0)
    }

    /// The text, with U+FFFD for what is not UTF-8.
    pub fn to_string_lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}
