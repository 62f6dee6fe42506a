//! An AMQP 1.0 message (OASIS AMQP 1.0, part 3, section 3.2): its sections are found by their lengths, and read when
//! somebody asks.

mod array;
mod body;
mod compound;
mod error;
mod performative;
mod properties;
mod reader;
mod sections;
mod value;

pub use array::{Array, ArrayIter, Described};
pub use body::{Body, DataSections, SequenceSections};
pub use compound::{List, ListIter, Map, MapIter};
pub use error::{MessageError, Problem};
pub use performative::Performative;
pub use properties::{MessageId, Properties};
pub use reader::MAX_DEPTH;
pub use value::{Text, Value};

use reader::{Raw, Reader};
use sections::{BodySections, Section};

/// A message: its bytes, and where in them the sections are. Made without allocating or copying.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Where the value of a section begins, or 0, where none can.
    header: usize,
    delivery: usize,
    annotations: usize,
    properties: usize,
    application: usize,
    footer: usize,
    body: BodySections,
}

impl<'a> Message<'a> {
    /// Finds the sections of a message that takes all of `bytes`. What is in them is read later, so that it may turn
    /// out then that it is damaged.
    ///
    /// # Errors
    /// If it is no message: a section is truncated, unknown, there twice, or a body of two kinds.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let mut message = Self { bytes, ..Self::default() };
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let start = reader;
            let section = Section::read(&mut reader)?;
            let value = reader;
            let slot = match section {
                Section::Header => &mut message.header,
                Section::DeliveryAnnotations => &mut message.delivery,
                Section::MessageAnnotations => &mut message.annotations,
                Section::Properties => &mut message.properties,
                Section::ApplicationProperties => &mut message.application,
                Section::Footer => &mut message.footer,
                Section::Body(kind) => {
                    let raw = Raw::read(&mut reader, 0)?;
                    message.body.add(kind, &start, &reader, &raw)?;
                    continue;
                }
            };
            Raw::skip(&mut reader, 0)?;
            if *slot != 0 {
                return Err(start.error(Problem::Repeated));
            }
            *slot = value.at();
        }
        Ok(message)
    }

    /// The value of a section that begins at `at`, if there is one.
    #[inline]
    fn section(&self, at: usize) -> Result<Option<Raw<'a>>, MessageError> {
        if at == 0 { Ok(None) } else { Raw::read(&mut Reader::from(self.bytes, at), 0).map(Some) }
    }

    #[inline]
    fn list(&self, at: usize) -> Result<List<'a>, MessageError> {
        self.section(at)?.map_or(Ok(List::default()), |raw| List::of(&raw))
    }

    #[inline]
    fn map(&self, at: usize) -> Result<Map<'a>, MessageError> {
        self.section(at)?.map_or(Ok(Map::default()), |raw| Map::of(&raw))
    }

    /// The header: durable, priority, ttl, first-acquirer, delivery-count; empty if there is none.
    ///
    /// # Errors
    /// If it is no list.
    pub fn header(&self) -> Result<List<'a>, MessageError> {
        self.list(self.header)
    }

    /// What is meant for the next node alone; empty if there is nothing.
    ///
    /// # Errors
    /// If it is no map.
    pub fn delivery_annotations(&self) -> Result<Map<'a>, MessageError> {
        self.map(self.delivery)
    }

    /// What the infrastructure says of the message, such as `x-exchange` and `x-routing-key`; empty if there is
    /// nothing.
    ///
    /// # Errors
    /// If it is no map.
    #[inline]
    pub fn message_annotations(&self) -> Result<Map<'a>, MessageError> {
        self.map(self.annotations)
    }

    /// The message annotation of this name.
    ///
    /// # Errors
    /// If the annotations up to it, or it, cannot be read.
    #[inline]
    pub fn annotation(&self, name: &str) -> Result<Option<Value<'a>>, MessageError> {
        self.message_annotations()?.get(name)
    }

    /// The message annotation of this name if it is text, such as `x-routing-key`.
    ///
    /// # Errors
    /// If the annotations up to it, or it, cannot be read.
    #[inline]
    pub fn annotation_text(&self, name: &str) -> Result<Option<Text<'a>>, MessageError> {
        Ok(self.annotation(name)?.and_then(|value| value.as_text()))
    }

    /// The properties; empty if there are none.
    ///
    /// # Errors
    /// If they are no list.
    #[inline]
    pub fn properties(&self) -> Result<Properties<'a>, MessageError> {
        self.list(self.properties).map(Properties::new)
    }

    /// What the producer says of the message; empty if there is nothing.
    ///
    /// # Errors
    /// If it is no map.
    #[inline]
    pub fn application_properties(&self) -> Result<Map<'a>, MessageError> {
        self.map(self.application)
    }

    /// The body.
    ///
    /// # Errors
    /// If it is one value that cannot be read.
    pub fn body(&self) -> Result<Body<'a>, MessageError> {
        self.body.read(self.bytes)
    }

    /// The sections of the body as they are encoded; nothing if there is none.
    pub fn encoded_body(&self) -> &'a [u8] {
        self.body.encoded(self.bytes)
    }

    /// What was computed over the message; empty if there is nothing.
    ///
    /// # Errors
    /// If it is no map.
    pub fn footer(&self) -> Result<Map<'a>, MessageError> {
        self.map(self.footer)
    }
}
