//! Reading values by their constructors (part 1, section 1.2): which bytes are a value, not yet what it is.

use super::error::{MessageError, Problem};

/// How many values may be within values: lists, maps and arrays, and descriptors.
pub const MAX_DEPTH: u8 = 32;

/// The constructor of a value that has a descriptor.
pub(super) const DESCRIBED: u8 = 0x00;

/// Bytes of a message, and where in it they begin.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The same bytes are the same value, wherever they are.
impl PartialEq for Reader<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The bytes of a message from `at` on.
    #[inline]
    pub(super) fn from(message: &'a [u8], at: usize) -> Self {
        Self { bytes: message.get(at..).unwrap_or_default(), at }
    }

    /// Where in the message they begin.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A problem with what comes next.
    #[cold]
    pub(super) fn error(&self, problem: Problem) -> MessageError {
        MessageError { at: self.at, problem }
    }

    /// Takes the next value and returns it as its type and bytes, if it has no descriptor and is whole. Otherwise takes
    /// nothing: [`Raw::read`] reads it, or tells what is wrong. This is what most values are, and without a `Result` of
    /// errors it compiles to little.
    #[inline]
    pub(super) fn take_plain(&mut self) -> Option<(u8, Self)> {
        let (&code, rest) = self.bytes.split_first()?;
        let (length, rest) = match code >> 4 {
            0x4 => (0, rest),
            0x5 => (1, rest),
            0x6 => (2, rest),
            0x7 => (4, rest),
            0x8 => (8, rest),
            0x9 => (16, rest),
            0xa | 0xc | 0xe => {
                let (&length, rest) = rest.split_first()?;
                (usize::from(length), rest)
            }
            0xb | 0xd | 0xf => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                (usize::try_from(u32::from_be_bytes(*length)).ok()?, rest)
            }
            _ => return None,
        };
        let (body, rest) = rest.split_at_checked(length)?;
        let behind = self.at + (self.bytes.len() - rest.len());
        *self = Self { bytes: rest, at: behind };
        Some((code, Self { bytes: body, at: behind - length }))
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<Self, MessageError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            return Err(self.error(Problem::Truncated { needed: length, left: self.bytes.len() }));
        };
        let taken = Self { bytes: taken, at: self.at };
        *self = Self { bytes: rest, at: self.at + length };
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let Some((taken, rest)) = self.bytes.split_first_chunk::<N>() else {
            return Err(self.error(Problem::Truncated { needed: N, left: self.bytes.len() }));
        };
        *self = Self { bytes: rest, at: self.at + N };
        Ok(*taken)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, MessageError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, MessageError> {
        self.array().map(u32::from_be_bytes)
    }

    /// What this reader has in front of `later`, which went on from it.
    #[inline]
    pub(super) fn until(&self, later: &Self) -> Self {
        let length = later.at.saturating_sub(self.at);
        Self { bytes: self.bytes.get(..length).unwrap_or_default(), at: self.at }
    }
}

/// The constructor of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constructor<'a> {
    /// The type of the value, beneath its descriptors.
    pub(super) code: u8,
    /// With descriptors: the first of them, and what follows, up to the type.
    pub(super) described: Option<Reader<'a>>,
}

impl<'a> Constructor<'a> {
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>, depth: u8) -> Result<Self, MessageError> {
        match reader.u8()? {
            DESCRIBED => Self::read_described(reader, depth),
            code => Ok(Self { code, described: None }),
        }
    }

    fn read_described(reader: &mut Reader<'a>, depth: u8) -> Result<Self, MessageError> {
        if depth >= MAX_DEPTH {
            return Err(reader.error(Problem::Depth));
        }
        let start = *reader;
        Raw::read(reader, depth + 1)?;
        let inner = Self::read(reader, depth + 1)?;
        Ok(Self { code: inner.code, described: Some(start.until(reader)) })
    }
}

/// A value: its constructor, and its bytes without those that say how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raw<'a> {
    pub(super) constructor: Constructor<'a>,
    pub(super) body: Reader<'a>,
    /// How many values it is within.
    pub(super) depth: u8,
}

impl<'a> Raw<'a> {
    /// Takes the next value, whatever it is.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>, depth: u8) -> Result<Self, MessageError> {
        match reader.take_plain() {
            Some((code, body)) => Ok(Self::plain(code, body, depth)),
            None => Self::read_any(reader, depth),
        }
    }

    /// One without a descriptor.
    #[inline]
    pub(super) fn plain(code: u8, body: Reader<'a>, depth: u8) -> Self {
        Self { constructor: Constructor { code, described: None }, body, depth }
    }

    #[cold]
    fn read_any(reader: &mut Reader<'a>, depth: u8) -> Result<Self, MessageError> {
        let constructor = Constructor::read(reader, depth)?;
        Ok(Self { constructor, body: body(reader, constructor.code)?, depth })
    }

    /// Steps over the next value.
    #[inline]
    pub(super) fn skip(reader: &mut Reader<'a>, depth: u8) -> Result<(), MessageError> {
        if reader.take_plain().is_none() {
            Self::read_any(reader, depth)?;
        }
        Ok(())
    }

    /// The type of the value, or that of a described one.
    #[inline]
    pub(super) fn code(&self) -> u8 {
        if self.constructor.described.is_some() { DESCRIBED } else { self.constructor.code }
    }

    /// That it is of another type than it should be.
    pub(super) fn unexpected(&self, expected: &'static str) -> MessageError {
        self.body.error(Problem::Unexpected { expected, code: self.code() })
    }
}

/// Takes the bytes of a value of this type. The first four bits of a type say how long it is (part 1, section 1.2).
#[inline]
pub(super) fn body<'a>(reader: &mut Reader<'a>, code: u8) -> Result<Reader<'a>, MessageError> {
    let length = match code >> 4 {
        0x4 => 0,
        0x5 => 1,
        0x6 => 2,
        0x7 => 4,
        0x8 => 8,
        0x9 => 16,
        0xa | 0xc | 0xe => usize::from(reader.u8()?),
        // Saturated, it is more than there is.
        0xb | 0xd | 0xf => usize::try_from(reader.u32()?).unwrap_or(usize::MAX),
        _ => return Err(reader.error(Problem::Type(code))),
    };
    reader.take(length)
}
