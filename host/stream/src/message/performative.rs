//! What a frame of AMQP 1.0 holds (part 2, section 2.3): a described list, and behind it the bytes of a message, if it has some.

use super::compound::List;
use super::error::MessageError;
use super::reader::{Raw, Reader};
use super::value::Value;

/// A performative, which says what a frame means, and what is behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Performative<'a> {
    /// The number of its type.
    pub code: u64,
    /// Its fields; those at the end that are null may be left out.
    pub fields: List<'a>,
    /// What is behind it: of a transfer, a part of the message.
    pub payload: &'a [u8],
}

impl<'a> Performative<'a> {
    /// Reads the body of a frame.
    ///
    /// # Errors
    /// If it does not begin with a described list, or that is truncated.
    pub fn parse(body: &'a [u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new(body);
        let raw = Raw::read(&mut reader, 0)?;
        let Value::Described(described) = Value::of(&raw)? else {
            return Err(raw.unexpected("a performative"));
        };
        let (Value::Ulong(code), Value::List(fields)) = (described.descriptor()?, described.value()?) else {
            return Err(raw.unexpected("a performative"));
        };
        Ok(Self { code, fields, payload: reader.bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_described_list_and_what_is_behind_it() {
        let body = [0, 0x53, 0x14, 0xc0, 3, 2, 0x43, 0x41, 1, 2];
        let read = Performative::parse(&body).unwrap();
        assert_eq!((read.code, read.payload), (0x14, &[1, 2][..]));
        assert_eq!(read.fields.get(0), Ok(Some(Value::Uint(0))));
        assert_eq!(read.fields.get(1), Ok(Some(Value::Bool(true))));
        assert_eq!(read.fields.get(2), Ok(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for body in [&[][..], &[0x40], &[0, 0x53, 0x14], &[0, 0x53, 0x14, 0x40], &[0, 0x40, 0x45]] {
            assert!(Performative::parse(body).is_err(), "{body:x?}");
        }
    }
}
