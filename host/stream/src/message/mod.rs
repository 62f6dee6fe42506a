//! An AMQP 1.0 message (OASIS AMQP 1.0, part 3, section 3.2): its sections are found by their lengths, and read when
//! somebody asks.

mod body;
mod compound;
mod error;
mod properties;
mod reader;
mod sections;
mod value;

pub use body::{Body, DataSections, SequenceSections};
pub use compound::{Array, ArrayIter, Described, List, ListIter, Map, MapIter};
pub use error::{MessageError, Problem};
pub use properties::{MessageId, Properties};
pub use reader::MAX_DEPTH;
pub use value::{Text, Value};

use reader::{Raw, Reader};
use sections::{BodySections, Section};

/// A message. Made without allocating or copying; as large as a few slices.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    header: Option<Raw<'a>>,
    delivery: Option<Raw<'a>>,
    annotations: Option<Raw<'a>>,
    properties: Option<Raw<'a>>,
    application: Option<Raw<'a>>,
    footer: Option<Raw<'a>>,
    body: BodySections<'a>,
}

impl<'a> Message<'a> {
    /// Finds the sections of a message that takes all of `bytes`. What is in them is read later, so that it may turn
    /// out then that it is damaged.
    ///
    /// # Errors
    /// If it is no message: a section is truncated, unknown, there twice, or a body of two kinds.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let mut message = Self::default();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let start = reader;
            let section = Section::read(&mut reader)?;
            let raw = Raw::read(&mut reader, 0)?;
            let place = match section {
                Section::Header => &mut message.header,
                Section::DeliveryAnnotations => &mut message.delivery,
                Section::MessageAnnotations => &mut message.annotations,
                Section::Properties => &mut message.properties,
                Section::ApplicationProperties => &mut message.application,
                Section::Footer => &mut message.footer,
                Section::Body(kind) => {
                    message.body.add(kind, start, reader, &raw)?;
                    continue;
                }
            };
            if place.replace(raw).is_some() {
                return Err(start.error(Problem::Repeated));
            }
        }
        Ok(message)
    }

    /// The header: durable, priority, ttl, first-acquirer, delivery-count; empty if there is none.
    ///
    /// # Errors
    /// If it is no list.
    pub fn header(&self) -> Result<List<'a>, MessageError> {
        self.header.map_or(Ok(List::default()), |raw| List::of(&raw))
    }

    /// What is meant for the next node alone; empty if there is nothing.
    ///
    /// # Errors
    /// If it is no map.
    pub fn delivery_annotations(&self) -> Result<Map<'a>, MessageError> {
        self.delivery.map_or(Ok(Map::default()), |raw| Map::of(&raw))
    }

    /// What the infrastructure says of the message, such as `x-exchange` and `x-routing-key`; empty if there is
    /// nothing.
    ///
    /// # Errors
    /// If it is no map.
    #[inline]
    pub fn message_annotations(&self) -> Result<Map<'a>, MessageError> {
        self.annotations.map_or(Ok(Map::default()), |raw| Map::of(&raw))
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
        let list = self.properties.map_or(Ok(List::default()), |raw| List::of(&raw))?;
        Ok(Properties::new(list))
    }

    /// What the producer says of the message; empty if there is nothing.
    ///
    /// # Errors
    /// If it is no map.
    #[inline]
    pub fn application_properties(&self) -> Result<Map<'a>, MessageError> {
        self.application.map_or(Ok(Map::default()), |raw| Map::of(&raw))
    }

    /// The body.
    ///
    /// # Errors
    /// If it is one value that cannot be read.
    pub fn body(&self) -> Result<Body<'a>, MessageError> {
        self.body.read()
    }

    /// What was computed over the message; empty if there is nothing.
    ///
    /// # Errors
    /// If it is no map.
    pub fn footer(&self) -> Result<Map<'a>, MessageError> {
        self.footer.map_or(Ok(Map::default()), |raw| Map::of(&raw))
    }
}
