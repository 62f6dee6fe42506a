//! The body of a message: data, sequences or one value (part 3, sections 3.2.6 to 3.2.8).

use std::borrow::Cow;

use super::compound::List;
use super::sections::{Sections, binary};
use super::value::Value;

/// The body of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// There is none.
    Empty,
    /// Bytes, in one section or several. What comes over AMQP 0-9-1 is one.
    Data(DataSections<'a>),
    /// Lists of values, in one section or several.
    Sequence(SequenceSections<'a>),
    /// One value.
    Value(Value<'a>),
}

/// The sections of a body of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSections<'a>(pub(super) Sections<'a>);

impl<'a> DataSections<'a> {
    /// The bytes of all sections: copied if there are several.
    pub fn bytes(mut self) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(self.next().unwrap_or_default());
        for section in self {
            bytes.to_mut().extend_from_slice(section);
        }
        bytes
    }
}

impl<'a> Iterator for DataSections<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // That each is binary was found before.
        self.0.next().and_then(|raw| binary(&raw).ok())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The sections of a body of lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceSections<'a>(pub(super) Sections<'a>);

impl<'a> Iterator for SequenceSections<'a> {
    type Item = List<'a>;

    fn next(&mut self) -> Option<List<'a>> {
        // That each is a list was found before.
        self.0.next().and_then(|raw| List::of(&raw).ok())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
