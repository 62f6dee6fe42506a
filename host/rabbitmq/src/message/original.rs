//! What a dead letter is made of: a message as it came of a queue, or of a stream, or one log of several in it.

use std::sync::Arc;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use loghost_core::application::{DeadLog, LogNumber};
use loghost_core::domain::{Attributes, Record};

use crate::message::of_stream::StreamOriginal;
use crate::message::record::LOG_NUMBER;

/// A message, as it came. A clone is the same message, and not a copy of it.
#[derive(Clone, Debug)]
pub enum Original {
    /// Through AMQP 0-9-1.
    Amqp(Arc<Delivery>),
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

impl Published {
    /// What is published again of a message: all of it, or the one log of several as a message of its own.
    pub(crate) fn of(original: Original, log: Option<DeadLog<'_>>) -> Self {
        let Some(DeadLog { record, number: Some(number) }) = log else { return original.into() };
        let (exchange, routing_key) = match &original {
            Original::Amqp(message) => (message.exchange.clone(), message.routing_key.clone()),
            Original::Stream(original) => original.route(),
        };
        let properties = properties_of_one(record, number);
        Self { exchange, routing_key, properties, data: record.message.clone().into_bytes() }
    }
}

/// The properties of one log of several, as a message of its own.
fn properties_of_one(record: &Record, LogNumber { number, of }: LogNumber) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (key, value) in record.attributes.iter().filter(|(key, _)| !Attributes::is_reserved(key)) {
        if let Ok(key) = ShortString::try_new(key.as_str()) {
            headers.insert(key, AMQPValue::LongString(value.as_str().into()));
        }
    }
    let millis = record.timestamp.as_millis();
    let header = AMQPValue::LongLongInt(i64::try_from(millis).unwrap_or(i64::MAX));
    headers.insert(Attributes::TIMESTAMP_KEY.into(), header);
    headers.insert(LOG_NUMBER.into(), AMQPValue::LongString(format!("{number}/{of}").into()));
    BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("utf-8".into())
        .with_timestamp(millis / 1000)
        .with_headers(headers)
}

impl From<Delivery> for Published {
    fn from(message: Delivery) -> Self {
        let Delivery { exchange, routing_key, properties, data, .. } = message;
        Self { exchange, routing_key, properties, data }
    }
}

impl From<&Delivery> for Published {
    fn from(message: &Delivery) -> Self {
        let Delivery { exchange, routing_key, properties, data, .. } = message;
        let (exchange, routing_key) = (exchange.clone(), routing_key.clone());
        Self { exchange, routing_key, properties: properties.clone(), data: data.clone() }
    }
}

impl From<Original> for Published {
    fn from(original: Original) -> Self {
        match original {
            Original::Amqp(message) => match Arc::try_unwrap(message) {
                Ok(message) => message.into(),
                Err(shared) => (&*shared).into(),
            },
            Original::Stream(original) => original.publish(),
        }
    }
}
