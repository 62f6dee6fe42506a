//! An encoder of AMQP 1.0 messages.

use super::amqp::{Amqp, Width};

/// Makes a message.
#[derive(Clone, Debug, Default)]
pub struct MessageBuilder {
    header: Option<Amqp>,
    annotations: Vec<(Amqp, Amqp)>,
    properties: Vec<Amqp>,
    application: Vec<(Amqp, Amqp)>,
    body: Vec<(u64, Amqp)>,
    wide: bool,
}

impl MessageBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the longest form of each value.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// Adds the header that `RabbitMQ` writes: durable or not.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.header = Some(Amqp::List(vec![Amqp::Bool(durable)]));
        self
    }

    /// Adds a message annotation.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: impl Into<Amqp>) -> Self {
        self.annotations.push((Amqp::Symbol(key.into()), value.into()));
        self
    }

    /// Sets a field of the properties by its index: 0 is the message-id.
    #[must_use]
    pub fn property(mut self, index: usize, value: impl Into<Amqp>) -> Self {
        let count = self.properties.len().max(index + 1);
        self.properties.resize(count, Amqp::Null);
        self.properties[index] = value.into();
        self
    }

    /// Adds an application property.
    #[must_use]
    pub fn application(mut self, key: &str, value: impl Into<Amqp>) -> Self {
        self.application.push((key.into(), value.into()));
        self
    }

    /// Adds a section of bytes.
    #[must_use]
    pub fn data(mut self, bytes: &[u8]) -> Self {
        self.body.push((0x75, Amqp::Binary(bytes.to_vec())));
        self
    }

    /// Adds a section with a sequence.
    #[must_use]
    pub fn sequence(mut self, values: Vec<Amqp>) -> Self {
        self.body.push((0x76, Amqp::List(values)));
        self
    }

    /// Adds a section with a value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Amqp>) -> Self {
        self.body.push((0x77, value.into()));
        self
    }

    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let map = |pairs: &Vec<_>| (!pairs.is_empty()).then(|| Amqp::Map(pairs.clone()));
        let properties = (!self.properties.is_empty()).then(|| Amqp::List(self.properties.clone()));
        let mut sections = vec![
            (0x70, self.header.clone()),
            (0x72, map(&self.annotations)),
            (0x73, properties),
            (0x74, map(&self.application)),
        ];
        sections.extend(self.body.iter().cloned().map(|(code, value)| (code, Some(value))));
        let width = if self.wide { Width::Wide } else { Width::Compact };
        let mut bytes = Vec::new();
        for (code, value) in sections {
            if let Some(value) = value {
                let descriptor = Box::new(Amqp::Ulong(code));
                Amqp::Described(descriptor, Box::new(value)).encode(width, &mut bytes);
            }
        }
        bytes
    }
}

/// A log of 120 bytes as `RabbitMQ` 4 stores it in a stream when it was published over AMQP 0-9-1: with an id, a
/// timestamp, a source as the routing key and three headers.
pub fn log(number: u64) -> Vec<u8> {
    let time = 1_790_000_000_000 + i64::try_from(number % 1_000_000).unwrap_or_default();
    MessageBuilder::new()
        .durable(true)
        .annotation("x-exchange", "logs.error")
        .annotation("x-routing-key", "shop.payment.card")
        .property(0, &*format!("2f6a51c0b7de4d0b8a34-error-shop.payment.card-{number}"))
        .property(6, Amqp::Symbol("text/plain".into()))
        .property(9, Amqp::Timestamp(time / 1000 * 1000))
        .property(10, "shop")
        .application("timestamp_in_ms", Amqp::Long(time))
        .application("host", "node-17.shop.example")
        .application("trace", "4bf92f3577b34da6a3ce929d0e0e4736")
        .data(&[b'.'; 120])
        .encode()
}
