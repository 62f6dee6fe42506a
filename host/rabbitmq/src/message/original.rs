//! What a dead letter is made of: a message as it came of a queue, or of a stream.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::ShortString;

use crate::message::of_stream::StreamOriginal;

/// A message, as it came.
#[derive(Debug)]
pub enum Original {
    /// Through AMQP 0-9-1.
    Amqp(Box<Delivery>),
    /// Through the stream protocol.
    Stream(StreamOriginal),
}

/// A message in the form of AMQP 0-9-1: what it says, and where it was published to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Published {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) data: Vec<u8>,
}

impl From<Delivery> for Published {
    fn from(message: Delivery) -> Self {
        let Delivery { exchange, routing_key, properties, data, .. } = message;
        Self { exchange, routing_key, properties, data }
    }
}

impl From<Original> for Published {
    fn from(original: Original) -> Self {
        match original {
            Original::Amqp(message) => (*message).into(),
            Original::Stream(original) => original.publish(),
        }
    }
}
