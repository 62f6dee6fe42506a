//! Decoding methods. `basic.publish` and `basic.ack` are decoded here, not by the codec: they come once for every
//! message, and the codec allocates for their flags and strings.

use amq_protocol::protocol::{AMQPClass, parse_class};

use crate::{
    error::AmqpError,
    fields::{Fields, malformed},
};

#[derive(Debug)]
pub(crate) enum Method<'a> {
    Publish(Publish<'a>),
    Ack { delivery_tag: u64, multiple: bool },
    Other(AMQPClass),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Publish<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    pub(crate) mandatory: bool,
    pub(crate) immediate: bool,
}

/// Class and method, as a close reports them. Zero and zero: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MethodId {
    pub(crate) class: u16,
    pub(crate) method: u16,
}

pub(crate) const BASIC_PUBLISH: MethodId = MethodId { class: 60, method: 40 };
const BASIC_QOS: MethodId = MethodId { class: 60, method: 10 };
const BASIC_ACK: MethodId = MethodId { class: 60, method: 80 };

/// The methods of each class.
const KNOWN: [(u16, &[u16]); 8] = [
    (10, &[10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71]),
    (20, &[10, 11, 20, 21, 40, 41]),
    (30, &[10, 11]),
    (40, &[10, 11, 20, 21, 30, 31, 40, 51]),
    (50, &[10, 11, 20, 21, 30, 31, 40, 41, 50, 51]),
    (60, &[10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 71, 72, 80, 90, 100, 110, 111, 120]),
    (85, &[10, 11]),
    (90, &[10, 11, 20, 21, 30, 31]),
];

impl MethodId {
    /// Of a method frame's payload.
    pub(crate) fn of(payload: &[u8]) -> Self {
        let mut fields = Fields::new(payload);
        Self { class: fields.short().unwrap_or_default(), method: fields.short().unwrap_or_default() }
    }

    fn is_known(self) -> bool {
        KNOWN.iter().any(|(class, methods)| *class == self.class && methods.contains(&self.method))
    }
}

impl<'a> Method<'a> {
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, AmqpError> {
        let id = MethodId::of(payload);
        let mut fields = Fields::new(payload);
        fields.long()?;
        if id == BASIC_PUBLISH {
            return Publish::parse(fields).map(Self::Publish);
        }
        if id == BASIC_ACK {
            let delivery_tag = fields.long_long()?;
            let multiple = fields.octet()? & 1 == 1;
            fields.finish()?;
            return Ok(Self::Ack { delivery_tag, multiple });
        }
        if !id.is_known() {
            return Err(AmqpError::not_implemented(format!("no method {} in class {}", id.method, id.class)));
        }
        // The codec does not show it.
        if id == BASIC_QOS && fields.clone().long()? != 0 {
            return Err(AmqpError::not_implemented("prefetch_size other than 0"));
        }
        check_tables(id, fields)?;
        match parse_class(payload) {
            Ok(([], method)) => Ok(Self::Other(method)),
            Ok(_) => Err(malformed("bytes after the last field")),
            Err(_) => Err(malformed("arguments that the method does not have")),
        }
    }
}

impl<'a> Publish<'a> {
    fn parse(mut fields: Fields<'a>) -> Result<Self, AmqpError> {
        // A ticket, of old.
        fields.short()?;
        let exchange = fields.short_string()?;
        let routing_key = fields.short_string()?;
        let flags = fields.octet()?;
        fields.finish()?;
        Ok(Self { exchange, routing_key, mandatory: flags & 1 != 0, immediate: flags & 2 != 0 })
    }
}

/// Every method that has a table has one, and it is preceded by a short, short strings and flags.
fn check_tables(id: MethodId, mut fields: Fields<'_>) -> Result<(), AmqpError> {
    let (short, strings, flags) = match (id.class, id.method) {
        (10, 10) => (1, 0, 0),
        (10, 11) => (0, 0, 0),
        (40, 10) | (60, 20) => (1, 2, 1),
        (40, 30 | 40) | (50, 20) => (1, 3, 1),
        (50, 10) => (1, 1, 1),
        (50, 50) => (1, 3, 0),
        _ => return Ok(()),
    };
    for _ in 0..short {
        fields.short()?;
    }
    for _ in 0..strings {
        fields.short_string()?;
    }
    for _ in 0..flags {
        fields.octet()?;
    }
    fields.table(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[track_caller]
    fn check_refused(payload: &[u8], code: Code) {
        assert_eq!(Method::parse(payload).unwrap_err().code, code);
    }

    #[test]
    fn publish_is_read_without_the_codec() {
        let payload = b"\0\x3c\0\x28\0\0\x04logs\x05web-1\x01";
        let Method::Publish(publish) = Method::parse(payload).unwrap() else {
            panic!("not a publish");
        };
        assert_eq!((publish.exchange, publish.routing_key), ("logs", "web-1"));
        assert!(publish.mandatory && !publish.immediate);
        for len in 4..payload.len() {
            check_refused(&payload[..len], Code::FrameError);
        }
    }

    #[test]
    fn unknown_methods_are_not_implemented() {
        check_refused(&[0, 60, 0, 99], Code::NotImplemented);
        check_refused(&[0, 99, 0, 10], Code::NotImplemented);
        check_refused(&[0, 60], Code::FrameError);
        check_refused(b"\0\x3c\0\x0a\0", Code::FrameError);
    }
}
