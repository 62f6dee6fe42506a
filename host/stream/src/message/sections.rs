//! The sections of a message, by their descriptors.

use super::body::{Body, DataSections, SequenceSections};
use super::compound::List;
use super::error::{MessageError, Problem};
use super::reader::{DESCRIBED, Raw, Reader};
use super::value::Value;

/// The constructors of a descriptor: a number in one byte or eight, zero, and symbols.
const SMALL_ULONG: u8 = 0x53;
const ULONG: u8 = 0x80;
const SYMBOL8: u8 = 0xa3;
const SYMBOL32: u8 = 0xb3;

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Header,
    DeliveryAnnotations,
    MessageAnnotations,
    Properties,
    ApplicationProperties,
    Body(BodyKind),
    Footer,
}

/// What a section of the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    Data,
    Sequence,
    Value,
}

impl Section {
    /// Reads the descriptor of the next section.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, MessageError> {
        let start = *reader;
        let section = match *reader.bytes() {
            [DESCRIBED, SMALL_ULONG, code, ..] => {
                reader.take(3)?;
                Self::of(u64::from(code))
            }
            [DESCRIBED, ..] => {
                reader.take(1)?;
                let descriptor = Raw::read(reader, 0)?;
                let bytes = descriptor.body.bytes();
                match descriptor.code() {
                    ULONG => bytes.try_into().ok().map(u64::from_be_bytes).and_then(Self::of),
                    SYMBOL8 | SYMBOL32 => Self::named(bytes),
                    _ => None,
                }
            }
            _ => None,
        };
        section.ok_or_else(|| start.error(Problem::Section))
    }

    fn of(descriptor: u64) -> Option<Self> {
        Some(match descriptor {
            0x70 => Self::Header,
            0x71 => Self::DeliveryAnnotations,
            0x72 => Self::MessageAnnotations,
            0x73 => Self::Properties,
            0x74 => Self::ApplicationProperties,
            0x75 => Self::Body(BodyKind::Data),
            0x76 => Self::Body(BodyKind::Sequence),
            0x77 => Self::Body(BodyKind::Value),
            0x78 => Self::Footer,
            _ => return None,
        })
    }

    fn named(descriptor: &[u8]) -> Option<Self> {
        Some(match descriptor {
            b"amqp:header:list" => Self::Header,
            b"amqp:delivery-annotations:map" => Self::DeliveryAnnotations,
            b"amqp:message-annotations:map" => Self::MessageAnnotations,
            b"amqp:properties:list" => Self::Properties,
            b"amqp:application-properties:map" => Self::ApplicationProperties,
            b"amqp:data:binary" => Self::Body(BodyKind::Data),
            b"amqp:amqp-sequence:list" => Self::Body(BodyKind::Sequence),
            b"amqp:amqp-value:*" => Self::Body(BodyKind::Value),
            b"amqp:footer:map" => Self::Footer,
            _ => return None,
        })
    }
}

/// Where the sections of the body are: they are of one kind, and one behind the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodySections {
    kind: Option<BodyKind>,
    /// Where in the message the first one begins.
    first: usize,
    number: usize,
    /// Where the last one ends.
    end: usize,
}

impl BodySections {
    /// Adds the one between `start` and `end`, which has the value `raw`.
    #[inline]
    pub(super) fn add(
        &mut self,
        kind: BodyKind,
        start: &Reader<'_>,
        end: &Reader<'_>,
        raw: &Raw<'_>,
    ) -> Result<(), MessageError> {
        match kind {
            BodyKind::Data => {
                binary(raw)?;
            }
            BodyKind::Sequence => {
                List::of(raw)?;
            }
            BodyKind::Value => {}
        }
        match self.kind {
            None => (self.kind, self.first) = (Some(kind), start.at()),
            Some(BodyKind::Value) => return Err(start.error(Problem::SecondBody)),
            Some(before) if before != kind || self.end != start.at() => {
                return Err(start.error(Problem::SecondBody));
            }
            Some(_) => {}
        }
        self.number += 1;
        self.end = end.at();
        Ok(())
    }

    /// Their part of the message.
    pub(super) fn encoded<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        message.get(self.first..self.end).unwrap_or_default()
    }

    /// Reads them out of the message.
    pub(super) fn read<'a>(&self, message: &'a [u8]) -> Result<Body<'a>, MessageError> {
        let mut sections = Sections { rest: Reader::from(message, self.first), left: self.number };
        Ok(match self.kind {
            None => Body::Empty,
            Some(BodyKind::Data) => Body::Data(DataSections(sections)),
            Some(BodyKind::Sequence) => Body::Sequence(SequenceSections(sections)),
            Some(BodyKind::Value) => match sections.next() {
                Some(raw) => Body::Value(Value::of(&raw)?),
                None => Body::Empty,
            },
        })
    }
}

/// The values of sections one behind the other, which were found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sections<'a> {
    rest: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for Sections<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.left = self.left.checked_sub(1)?;
        Section::read(&mut self.rest).ok()?;
        Raw::read(&mut self.rest, 0).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The bytes of a binary value.
pub(super) fn binary<'a>(raw: &Raw<'a>) -> Result<&'a [u8], MessageError> {
    match raw.code() {
        0xa0 | 0xb0 => Ok(raw.body.bytes()),
        _ => Err(raw.unexpected("binary")),
    }
}
