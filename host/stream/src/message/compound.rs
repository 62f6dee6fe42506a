//! Lists and maps. Their elements are read one by one, as far as somebody goes.

use std::fmt;

use super::error::{MessageError, Problem};
use super::reader::{MAX_DEPTH, Raw, Reader};
use super::value::Value;

/// The elements of a list, map or array: how many, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Elements<'a> {
    pub(super) left: u32,
    pub(super) bytes: Reader<'a>,
    /// How many values each is within.
    pub(super) depth: u8,
}

impl<'a> Elements<'a> {
    #[inline]
    pub(super) fn of(raw: &Raw<'a>, short: bool) -> Result<Self, MessageError> {
        if raw.depth >= MAX_DEPTH {
            return Err(raw.body.error(Problem::Depth));
        }
        let mut bytes = raw.body;
        let left = if short { u32::from(bytes.u8()?) } else { bytes.u32()? };
        Ok(Self { left, bytes, depth: raw.depth + 1 })
    }

    /// That there cannot be so many.
    pub(super) fn too_many(&self) -> MessageError {
        self.bytes.error(Problem::Count { count: self.left, size: self.bytes.len() })
    }

    /// Elements with a constructor each: of a byte at least.
    #[inline]
    fn bounded(self) -> Result<Self, MessageError> {
        if self.left as usize > self.bytes.len() { Err(self.too_many()) } else { Ok(self) }
    }

    /// The next one, as its bytes.
    #[inline]
    fn raw(&mut self) -> Option<Result<Raw<'a>, MessageError>> {
        let Some(left) = self.left.checked_sub(1) else {
            return self.end();
        };
        self.left = left;
        let raw = Raw::read(&mut self.bytes, self.depth);
        if raw.is_err() {
            *self = Self::default();
        }
        Some(raw)
    }

    #[inline]
    fn value(&mut self) -> Option<Result<Value<'a>, MessageError>> {
        self.raw().map(|raw| raw.and_then(|raw| Value::of(&raw)))
    }

    /// Nothing, or once that there are bytes behind the last element.
    pub(super) fn end<T>(&mut self) -> Option<Result<T, MessageError>> {
        let behind = std::mem::take(&mut self.bytes);
        (!behind.is_empty()).then(|| Err(behind.error(Problem::Trailing(behind.len()))))
    }
}

/// Values of any types.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct List<'a>(Elements<'a>);

impl<'a> List<'a> {
    #[inline]
    pub(super) fn of(raw: &Raw<'a>) -> Result<Self, MessageError> {
        match raw.code() {
            0x45 => Ok(Self::default()),
            0xc0 => Ok(Self(Elements::of(raw, true)?.bounded()?)),
            0xd0 => Ok(Self(Elements::of(raw, false)?.bounded()?)),
            _ => Err(raw.unexpected("a list")),
        }
    }

    /// How many values it says that there are.
    pub fn len(&self) -> usize {
        self.0.left as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`, from 0 on; nothing if the list is shorter. Those before it are stepped over.
    ///
    /// # Errors
    /// If it, or one before it, cannot be read.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<Value<'a>>, MessageError> {
        self.get_raw(index)?.map(|raw| Value::of(&raw)).transpose()
    }

    #[inline]
    pub(super) fn get_raw(&self, index: usize) -> Result<Option<Raw<'a>>, MessageError> {
        if index >= self.len() {
            return Ok(None);
        }
        let mut bytes = self.0.bytes;
        for _ in 0..index {
            Raw::skip(&mut bytes, self.0.depth)?;
        }
        Raw::read(&mut bytes, self.0.depth).map(Some)
    }

    /// The values, up to the first that cannot be read.
    pub fn iter(&self) -> ListIter<'a> {
        ListIter(self.0)
    }
}

impl<'a> IntoIterator for &List<'a> {
    type Item = Result<Value<'a>, MessageError>;
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The values of a list.
#[derive(Clone, Debug)]
pub struct ListIter<'a>(Elements<'a>);

impl<'a> Iterator for ListIter<'a> {
    type Item = Result<Value<'a>, MessageError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.value()
    }
}

/// Keys and values of any types.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Map<'a>(Elements<'a>);

impl<'a> Map<'a> {
    #[inline]
    pub(super) fn of(raw: &Raw<'a>) -> Result<Self, MessageError> {
        let elements = match raw.code() {
            0xc1 => Elements::of(raw, true)?,
            0xd1 => Elements::of(raw, false)?,
            _ => return Err(raw.unexpected("a map")),
        };
        if elements.left % 2 == 1 {
            return Err(elements.too_many());
        }
        Ok(Self(elements.bounded()?))
    }

    /// How many keys it says that there are.
    pub fn len(&self) -> usize {
        self.0.left as usize / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of the first key that is this text, as a string or symbol. Other values are stepped over.
    ///
    /// # Errors
    /// If it, or what is before it, cannot be read.
    #[inline]
    pub fn get(&self, key: &str) -> Result<Option<Value<'a>>, MessageError> {
        let Elements { left, mut bytes, depth } = self.0;
        for _ in 0..left / 2 {
            let found = match bytes.take_plain() {
                Some((code, body)) => is_text(code) && body.bytes() == key.as_bytes(),
                // Not text, or nothing that can be read.
                None => Raw::skip(&mut bytes, depth).map(|()| false)?,
            };
            if found {
                return Value::read(&mut bytes, depth).map(Some);
            }
            Raw::skip(&mut bytes, depth)?;
        }
        Ok(None)
    }

    /// The keys and values, up to the first that cannot be read.
    pub fn iter(&self) -> MapIter<'a> {
        MapIter(self.0)
    }
}

impl<'a> IntoIterator for &Map<'a> {
    type Item = Result<(Value<'a>, Value<'a>), MessageError>;
    type IntoIter = MapIter<'a>;

    fn into_iter(self) -> MapIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Whether this is the type of a string or symbol.
#[inline]
fn is_text(code: u8) -> bool {
    matches!(code, 0xa1 | 0xa3 | 0xb1 | 0xb3)
}

/// The keys and values of a map.
#[derive(Clone, Debug)]
pub struct MapIter<'a>(Elements<'a>);

impl<'a> Iterator for MapIter<'a> {
    type Item = Result<(Value<'a>, Value<'a>), MessageError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let pair = match self.0.value()? {
            // There is an even number of elements.
            Ok(key) => self.0.value()?.map(|value| (key, value)),
            Err(error) => Err(error),
        };
        if pair.is_err() {
            self.0 = Elements::default();
        }
        Some(pair)
    }
}
