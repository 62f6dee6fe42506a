//! Values as AMQP 1.0 encodes them (OASIS AMQP 1.0, part 1, section 1.6): RabbitMQ hands over sections of a message
//! that AMQP 0-9-1 has no place for.

use std::borrow::Cow;

use crate::value::{Table, Value};

/// How many lists, maps and sections may be in each other.
const DEPTH: usize = 32;

/// How many values a section may have.
const MAX_VALUES: usize = 100_000;

/// The descriptor of a footer (part 3, section 3.2.9).
const FOOTER: Value<'_> = Value::Int(0x78);

/// The body that encoded sections are, each a descriptor and what it describes (part 3, section 3.2): the one value, all data
/// behind each other, or the list of what all sequences hold. None if it is anything else.
pub(crate) fn body(bytes: &[u8]) -> Option<Value<'_>> {
    let mut reader = Reader { rest: bytes, left: MAX_VALUES };
    let (_, mut body) = reader.section()?;
    while !reader.rest.is_empty() {
        let (descriptor, next) = reader.section()?;
        match (&mut body, next) {
            _ if descriptor == FOOTER => {}
            (Value::Bytes(data), Value::Bytes(more)) => data.to_mut().extend_from_slice(&more),
            (Value::List(values), Value::List(more)) => values.extend(more),
            _ => return None,
        }
    }
    Some(body)
}

/// What RabbitMQ 3 packs whole into a header: application properties.
pub(crate) fn table<'a>(packed: &'a Value<'_>) -> Option<Table<'a>> {
    let bytes = match packed {
        Value::Bytes(bytes) => bytes.as_ref(),
        Value::Text(text) => text.as_bytes(),
        _ => return None,
    };
    match (Reader { rest: bytes, left: MAX_VALUES }).section()? {
        (_, Value::Table(fields)) => Some(fields),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn size(&mut self, wide: bool) -> Option<usize> {
        if wide {
            usize::try_from(u32::from_be_bytes(self.array()?)).ok()
        } else {
            self.byte().map(usize::from)
        }
    }

    /// A descriptor, and what it describes.
    fn section(&mut self) -> Option<(Value<'a>, Value<'a>)> {
        self.rest = self.rest.strip_prefix(&[0x00])?;
        Some((self.value(DEPTH)?, self.value(DEPTH)?))
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        let code = self.byte()?;
        self.of(code, depth)
    }

    /// A value of this constructor.
    fn of(&mut self, code: u8, depth: usize) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        let depth = depth.checked_sub(1)?;
        Some(match code {
            0x00 => {
                self.value(depth)?;
                self.value(depth)?
            }
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x43 | 0x44 => Value::Int(0),
            0x45 => Value::List(Vec::new()),
            0x50 | 0x52 | 0x53 => Value::Int(self.byte()?.into()),
            0x51 | 0x54 | 0x55 => Value::Int(i8::from_be_bytes(self.array()?).into()),
            0x56 => Value::Bool(self.byte()? != 0),
            0x60 => Value::Int(u16::from_be_bytes(self.array()?).into()),
            0x61 => Value::Int(i16::from_be_bytes(self.array()?).into()),
            0x70 => Value::Int(u32::from_be_bytes(self.array()?).into()),
            0x71 => Value::Int(i32::from_be_bytes(self.array()?).into()),
            0x72 => Value::Float(f32::from_be_bytes(self.array()?).into()),
            0x73 => Value::Text(Cow::Owned(char::from_u32(u32::from_be_bytes(self.array()?))?.to_string())),
            0x80 => {
                let number = u64::from_be_bytes(self.array()?);
                i64::try_from(number).map_or(Value::Unsigned(number), Value::Int)
            }
            0x81 | 0x83 => Value::Int(i64::from_be_bytes(self.array()?)),
            0x82 => Value::Float(f64::from_be_bytes(self.array()?)),
            // Decimals have no other form here.
            0x74 => Value::Bytes(Cow::Borrowed(self.take(4)?)),
            0x84 => Value::Bytes(Cow::Borrowed(self.take(8)?)),
            0x94 => Value::Bytes(Cow::Borrowed(self.take(16)?)),
            0x98 => Value::Text(Cow::Owned(uuid(self.array()?))),
            0xa0 | 0xb0 => {
                let length = self.size(code == 0xb0)?;
                Value::Bytes(Cow::Borrowed(self.take(length)?))
            }
            0xa1 | 0xa3 | 0xb1 | 0xb3 => {
                let length = self.size(code >= 0xb0)?;
                Value::Text(String::from_utf8_lossy(self.take(length)?))
            }
            0xc0 | 0xd0 => Value::List(self.sequence(code == 0xd0, depth)?),
            0xc1 | 0xd1 => {
                let mut items = self.sequence(code == 0xd1, depth)?.into_iter();
                let mut fields = Vec::new();
                while let (Some(name), Some(value)) = (items.next(), items.next()) {
                    // As JSON in JSON, maps as names would double with each level.
                    if matches!(name, Value::List(_) | Value::Table(_)) {
                        return None;
                    }
                    fields.push((Cow::Owned(name.into_text()), value));
                }
                Value::Table(fields)
            }
            0xe0 | 0xf0 => {
                let wide = code == 0xf0;
                self.size(wide)?;
                let count = self.size(wide)?;
                let constructor = self.byte()?;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.of(constructor, depth)?);
                }
                Value::List(values)
            }
            _ => return None,
        })
    }

    /// The size, the count and the values of a list or map. The count is not trusted: each value uses one that is left.
    fn sequence(&mut self, wide: bool, depth: usize) -> Option<Vec<Value<'a>>> {
        self.size(wide)?;
        let count = self.size(wide)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth)?);
        }
        Some(values)
    }
}

fn uuid(bytes: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
