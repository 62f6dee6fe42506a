//! What a log looks like in a message of a stream, which is one of AMQP 1.0: as `RabbitMQ` makes it of one that was published
//! through AMQP 0-9-1, or as a producer that speaks the stream protocol has made it.
//!
//! What is read here is what [`record`](super::record) reads of the same message through AMQP 0-9-1.

mod properties;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use lapin::BasicProperties;
use lapin::types::ShortString;
use loghost_core::domain::{Attributes, Numbering, Record, Timestamp, TraceContext, TracesRead};
use loghost_stream::{Body, Message, MessageError, Value};

use self::properties as amqp;
use crate::message::names::Names;
use crate::message::original::Published;
use crate::message::record::{self, Decode, HOPS};
use crate::message::values;

/// The annotations with the exchange that a message was published to, the routing key, and its type.
const EXCHANGE: &str = "x-exchange";
const ROUTING_KEY: &str = "x-routing-key";
const TYPE: &str = "x-basic-type";

/// The type of messages of AMQP 0-9-1 whose body is encoded as sections of AMQP 1.0.
const ENCODED: &str = "amqp-1.0";

/// The most bytes of a dead letter's body: what brokers take, by default.
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// A message of a stream, and where it was published to.
#[derive(Clone, Debug)]
pub(crate) struct StreamMessage<'a> {
    message: Message<'a>,
    exchange: Cow<'a, str>,
    routing_key: Cow<'a, str>,
}

/// What came of a stream.
#[derive(Clone, Debug)]
pub struct StreamOriginal {
    stream: Arc<str>,
    /// A message, or whatever it is instead.
    bytes: Arc<[u8]>,
}

/// Why a message is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoLog {
    #[error("it is no message of AMQP 1.0: {0}")]
    Damaged(#[from] MessageError),
    #[error("its body is {0}, and no text")]
    Body(&'static str),
    #[error("it came through the exchange `{0}`, which is no severity's")]
    Exchange(String),
}

impl<'a> StreamMessage<'a> {
    /// Reads where a message of `stream` was published to. One that says nothing of that, as one of the stream protocol, was
    /// published to the exchange of the stream, without a routing key.
    pub(crate) fn parse(bytes: &'a [u8], stream: &'a str) -> Result<Self, MessageError> {
        let message = Message::parse(bytes)?;
        let text = |name| Ok(message.annotation_text(name)?.map(loghost_stream::Text::to_string_lossy));
        let routing_key: Cow<'a, str> = text(ROUTING_KEY)?.unwrap_or_default();
        Ok(match text(EXCHANGE)?.unwrap_or_default() {
            exchange if !exchange.is_empty() => Self { message, exchange, routing_key },
            // Published to the queue that a stream is to AMQP 0-9-1.
            _ if routing_key == stream => Self { message, exchange: stream.into(), routing_key: "".into() },
            _ => Self { message, exchange: stream.into(), routing_key },
        })
    }

    /// The exchange that it was published to; that of the stream, if it does not say.
    pub(crate) fn exchange(&self) -> &str {
        &self.exchange
    }

    /// Its properties as those of AMQP 0-9-1, and its body: what is no text is encoded, as `RabbitMQ` hands it over.
    pub(crate) fn content(&self) -> Result<(BasicProperties, Cow<'a, [u8]>), NoLog> {
        let properties = amqp::properties(&self.message)?;
        match self.body() {
            Ok(body) => Ok((properties, body.bytes())),
            Err(NoLog::Body(_)) => {
                Ok((properties.with_type(ENCODED.into()), Cow::Borrowed(self.message.encoded_body())))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn routing_key(&self) -> &str {
        &self.routing_key
    }

    /// Reads a log, if the message is one. What `decode` does not name is stepped over.
    pub(crate) fn record(&self, names: &Names, received: Timestamp, decode: Decode) -> Result<Record, NoLog> {
        let Some(severity) = names.severity(&self.exchange) else {
            return Err(NoLog::Exchange(self.exchange.clone().into_owned()));
        };
        let properties = self.message.properties()?;
        let application = self.message.application_properties()?;
        // Also where nobody reads it: what is no log must not be counted as one.
        let body = self.body()?;
        let number =
            |key| Ok::<_, MessageError>(application.get(key)?.and_then(|value| amqp::whole_number(&value)));
        let timestamp = match number(Attributes::TIMESTAMP_KEY)? {
            Some(millis) => Some(Timestamp::from_millis(millis)),
            None => properties.creation_time()?.and_then(amqp::seconds).map(record::in_millis),
        };
        let source = match &*self.routing_key {
            "" => properties.group_id()?.map(loghost_stream::Text::to_string_lossy).unwrap_or_default(),
            routing_key => Cow::Borrowed(routing_key),
        };
        let hops = if decode.message { number(HOPS)?.unwrap_or_default() } else { 0 };
        Ok(Record {
            severity,
            undetermined: false,
            timestamp: timestamp.unwrap_or(received),
            attempt: 1,
            message: if decode.message {
                String::from_utf8_lossy(&body.bytes()).into_owned()
            } else {
                String::new()
            },
            id: properties.message_id()?.and_then(amqp::id),
            unkeyed: self.routing_key.is_empty(),
            numbering: Numbering::AsRead,
            source: source.into_owned(),
            attributes: if decode.attributes { self.attributes()? } else { Vec::new() },
            replayed: false,
            hops: u8::try_from(hops).unwrap_or(u8::MAX),
            trace: self.trace(decode.traces)?,
        })
    }

    /// The trace that it belongs to, if it says so and it is one of these.
    fn trace(&self, read: TracesRead) -> Result<Option<Box<TraceContext>>, MessageError> {
        if read == TracesRead::None {
            return Ok(None);
        }
        let application = self.message.application_properties()?;
        let text = |key| Ok::<_, MessageError>(application.get(key)?.and_then(|value| amqp::text(&value)));
        let parent = text(TraceContext::PARENT_KEY)?.filter(|parent| read.wants(parent));
        let Some(parent) = parent else { return Ok(None) };
        let state = text(TraceContext::STATE_KEY)?;
        Ok(TraceContext::parse(&parent, state.as_deref()).map(Box::new))
    }

    /// Whether it is the message that ends a scenario, by its `token`.
    pub(crate) fn is_marker(&self, token: &str) -> bool {
        let id = self.message.properties().and_then(|properties| properties.message_id());
        let kind = self.message.annotation_text(TYPE).ok().flatten();
        kind.is_some_and(|kind| kind == record::MARKER_TYPE)
            && id.ok().flatten().and_then(amqp::id).is_some_and(|id| id == token)
    }

    /// What else a log says: as [`record::attributes`].
    fn attributes(&self) -> Result<Vec<(String, String)>, MessageError> {
        let mut attributes = Vec::new();
        for header in amqp::headers(&self.message) {
            let (key, value) = header?;
            if record::is_attribute(&key, || amqp::whole_number(&value))
                && let Some(value) = amqp::value(&value)
            {
                attributes.push((key.into_owned(), values::text(&value)));
            }
        }
        // As the table of AMQP 0-9-1 is.
        attributes.sort_unstable();
        Ok(attributes)
    }

    fn body(&self) -> Result<Text<'a>, NoLog> {
        Ok(match self.message.body()? {
            Body::Empty | Body::Value(Value::Null) => Text::Bytes(&[]),
            Body::Data(sections) => Text::Data(sections),
            Body::Value(Value::String(text) | Value::Symbol(text)) => Text::Bytes(text.as_bytes()),
            Body::Value(Value::Binary(bytes)) => Text::Bytes(bytes),
            Body::Value(Value::List(_) | Value::Map(_) | Value::Array(_)) => {
                return Err(NoLog::Body("a list or a map"));
            }
            Body::Value(_) => return Err(NoLog::Body("a number or the like")),
            Body::Sequence(_) => return Err(NoLog::Body("a sequence of lists")),
        })
    }
}

/// A body that is text.
enum Text<'a> {
    Bytes(&'a [u8]),
    Data(loghost_stream::DataSections<'a>),
}

impl<'a> Text<'a> {
    fn bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Data(sections) => sections.bytes(),
        }
    }
}

impl StreamOriginal {
    /// What came of `stream`: a copy, which does not keep the chunk in memory.
    pub(crate) fn new(stream: &Arc<str>, bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(LONGEST_BODY)];
        Self { stream: Arc::clone(stream), bytes: bytes.into() }
    }

    /// The exchange that it was published to, and the routing key.
    pub(crate) fn route(&self) -> (ShortString, ShortString) {
        match StreamMessage::parse(&self.bytes, &self.stream) {
            Ok(read) => (short(&read.exchange), short(&read.routing_key)),
            Err(_) => (short(&self.stream), ShortString::default()),
        }
    }

    /// The message as it would be through AMQP 0-9-1; what cannot be read, or has another body than text, is the body as
    /// it is.
    pub(crate) fn publish(self) -> Published {
        let (exchange, routing_key) = self.route();
        let Self { stream, bytes } = self;
        let read = StreamMessage::parse(&bytes, &stream);
        let properties = read.as_ref().ok().and_then(|read| amqp::properties(&read.message).ok());
        let body = read.as_ref().ok().and_then(|read| read.body().ok()).map(|body| body.bytes().into_owned());
        Published {
            exchange,
            routing_key,
            properties: properties.unwrap_or_default(),
            data: body.unwrap_or_else(|| bytes.to_vec()),
        }
    }
}

/// A short text of AMQP 0-9-1, of up to 255 bytes.
fn short(text: &str) -> ShortString {
    text[..text.floor_char_boundary(usize::from(u8::MAX))].into()
}
