//! Values whose constructor is apart from their bytes: arrays, whose elements share one, and described values.

use std::fmt;

use super::compound::Elements;
use super::error::MessageError;
use super::reader::{Constructor, Raw, Reader, body};
use super::value::{Value, element};

/// How many elements without bytes an array may have: as many as its shorter form can. There is no bound in its length.
const MAX_EMPTY: u32 = 255;

/// Values of one type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Array<'a> {
    elements: Elements<'a>,
    constructor: Constructor<'a>,
}

impl<'a> Array<'a> {
    pub(super) fn of(raw: &Raw<'a>) -> Result<Self, MessageError> {
        let mut elements = Elements::of(raw, raw.code() == 0xe0)?;
        if elements.left == 0 && elements.bytes.is_empty() {
            // Some leave the constructor of nothing out.
            return Ok(Self { elements, constructor: Constructor { code: 0x40, described: None } });
        }
        let constructor = Constructor::read(&mut elements.bytes, elements.depth)?;
        let empty = (constructor.code >> 4) == 0x4;
        if empty && elements.left > MAX_EMPTY || !empty && elements.left as usize > elements.bytes.len() {
            return Err(elements.too_many());
        }
        Ok(Self { elements, constructor })
    }

    /// How many values it says that there are.
    pub fn len(&self) -> usize {
        self.elements.left as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, up to the first that cannot be read.
    pub fn iter(&self) -> ArrayIter<'a> {
        ArrayIter(*self)
    }
}

impl<'a> IntoIterator for &Array<'a> {
    type Item = Result<Value<'a>, MessageError>;
    type IntoIter = ArrayIter<'a>;

    fn into_iter(self) -> ArrayIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The values of an array.
#[derive(Clone, Debug)]
pub struct ArrayIter<'a>(Array<'a>);

impl<'a> Iterator for ArrayIter<'a> {
    type Item = Result<Value<'a>, MessageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Array { elements, constructor } = &mut self.0;
        let Some(left) = elements.left.checked_sub(1) else {
            return elements.end();
        };
        elements.left = left;
        let value = body(&mut elements.bytes, constructor.code)
            .and_then(|body| element(*constructor, body, elements.depth));
        if value.is_err() {
            *elements = Elements::default();
        }
        Some(value)
    }
}

/// A value with a descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Described<'a>(pub(super) Raw<'a>);

impl<'a> Described<'a> {
    /// What says what the value means: a symbol or a number.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn descriptor(&self) -> Result<Value<'a>, MessageError> {
        Value::read(&mut self.constructor(), self.0.depth + 1)
    }

    /// The value.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn value(&self) -> Result<Value<'a>, MessageError> {
        let depth = self.0.depth + 1;
        let mut rest = self.constructor();
        Raw::read(&mut rest, depth)?;
        element(Constructor::read(&mut rest, depth)?, self.0.body, depth)
    }

    /// From the descriptor to the type of the value.
    fn constructor(&self) -> Reader<'a> {
        self.0.constructor.described.unwrap_or_default()
    }
}

impl fmt::Debug for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Described").field(&self.descriptor()).field(&self.value()).finish()
    }
}
