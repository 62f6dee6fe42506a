//! Assembles a message from `basic.publish`, a content header and content bodies.
//!
//! Checks what a publish may ask for.

use amq_protocol::{
    frame::WriteContext,
    protocol::basic::{gen_properties, parse_properties},
    types::AMQPValue,
};

use crate::{
    error::{AmqpError, Code},
    fields::{Fields, malformed},
    message::Content,
    method::Publish,
};

/// The most bytes that are reserved for a body because of what its header announces.
const TRUSTED: u64 = 128 * 1024;
const BASIC: u16 = 60;

/// The message that is being assembled, if any. It keeps the capacity of its strings for the next one.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    phase: Phase,
    exchange: String,
    routing_key: String,
    mandatory: bool,
    copies: Vec<String>,
    bytes: Vec<u8>,
    body_at: u32,
    expiration: Option<u32>,
    missing: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    Header,
    Body,
}

/// The limits of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) user: &'a str,
    pub(crate) max_size: u64,
}

/// A message that is complete.
#[derive(Debug)]
pub(crate) struct Complete<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) content: Content,
    /// Further routing keys: the headers `CC` and `BCC`.
    pub(crate) copies: &'a [String],
    pub(crate) mandatory: bool,
}

impl Assembly {
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// The bytes of an incomplete message.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn begin(&mut self, publish: &Publish<'_>) -> Result<(), AmqpError> {
        if publish.immediate {
            return Err(AmqpError::not_implemented("immediate=true"));
        }
        self.exchange.clear();
        self.exchange.push_str(publish.exchange);
        self.routing_key.clear();
        self.routing_key.push_str(publish.routing_key);
        self.mandatory = publish.mandatory;
        self.copies.clear();
        self.phase = Phase::Header;
        Ok(())
    }

    /// Takes a content header. If there is no body, the message is complete.
    pub(crate) fn header(&mut self, payload: &[u8], rules: Rules<'_>) -> Result<(), AmqpError> {
        let mut fields = Fields::new(payload);
        let class = fields.short()?;
        let _weight = fields.short()?;
        let body_size = fields.long_long()?;
        if self.phase != Phase::Header || class != BASIC {
            return Err(AmqpError::unexpected_frame(format!(
                "content header for class {class} that no method announced"
            )));
        }
        let mut encoded = fields.rest();
        let properties = fields.properties()?;
        self.expiration = properties.expiration.map(milliseconds).transpose()?;
        if let Some(user) = properties.user_id.filter(|user| *user != rules.user) {
            return Err(AmqpError::precondition(format!(
                "user_id property set to '{user}' but authenticated user was '{}'",
                rules.user
            )));
        }
        if body_size > rules.max_size {
            return Err(AmqpError::precondition(format!(
                "message size {body_size} is larger than configured max size {}",
                rules.max_size
            )));
        }
        let without_bcc;
        if properties.has_copies {
            without_bcc = take_copies(encoded, &mut self.copies)?;
            encoded = &without_bcc;
        }
        let body_at = self.routing_key.len() + encoded.len();
        let trusted = usize::try_from(body_size.min(TRUSTED)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(body_at + trusted);
        bytes.extend_from_slice(self.routing_key.as_bytes());
        bytes.extend_from_slice(encoded);
        self.bytes = bytes;
        self.body_at = u32::try_from(body_at).map_err(|_| malformed("properties too long"))?;
        self.missing = body_size;
        self.phase = Phase::Body;
        Ok(())
    }

    pub(crate) fn body(&mut self, payload: &[u8]) -> Result<(), AmqpError> {
        if self.phase != Phase::Body {
            return Err(AmqpError::unexpected_frame("content body that no content header announced"));
        }
        self.missing = self
            .missing
            .checked_sub(payload.len() as u64)
            .ok_or_else(|| AmqpError::new(Code::FrameError, "body larger than announced"))?;
        self.bytes.extend_from_slice(payload);
        Ok(())
    }

    /// The message, once it is complete.
    pub(crate) fn take(&mut self) -> Option<Complete<'_>> {
        if self.phase != Phase::Body || self.missing > 0 {
            return None;
        }
        self.phase = Phase::Idle;
        // It came as a short string.
        let key_len = u8::try_from(self.routing_key.len()).unwrap_or(u8::MAX);
        Some(Complete {
            exchange: &self.exchange,
            content: Content::new(std::mem::take(&mut self.bytes), key_len, self.body_at, self.expiration),
            copies: &self.copies,
            mandatory: self.mandatory,
        })
    }
}

/// An expiration, which is a number in a string.
fn milliseconds(expiration: &str) -> Result<u32, AmqpError> {
    expiration.parse().map_err(|_| {
        AmqpError::precondition(format!(
            "invalid expiration '{expiration}': expected milliseconds, at most {}",
            u32::MAX
        ))
    })
}

/// Adds the keys of `CC` and `BCC` to `copies`. Returns the properties without `BCC`.
fn take_copies(encoded: &[u8], copies: &mut Vec<String>) -> Result<Vec<u8>, AmqpError> {
    let (_, properties) = parse_properties(encoded).map_err(|_| malformed("properties cannot be read"))?;
    let mut headers =
        properties.headers().as_ref().map(|headers| headers.inner().clone()).unwrap_or_default();
    for name in ["CC", "BCC"] {
        match headers.get(name) {
            None => {}
            Some(AMQPValue::FieldArray(keys)) => {
                for key in keys.as_slice() {
                    let AMQPValue::LongString(key) = key else {
                        return Err(AmqpError::precondition(format!(
                            "header '{name}' is not an array of strings"
                        )));
                    };
                    copies.push(key.to_string());
                }
            }
            Some(_) => {
                return Err(AmqpError::precondition(format!("header '{name}' is not an array of strings")));
            }
        }
    }
    headers.remove("BCC");
    let properties = properties.with_headers(headers.into());
    let (bytes, _) = gen_properties(&properties)(WriteContext::from(Vec::new()))
        .map_err(|_| malformed("properties cannot be written"))?
        .into_inner();
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules<'static> = Rules { user: "guest", max_size: 100 };

    fn begun() -> Assembly {
        let mut assembly = Assembly::default();
        let publish = Publish { exchange: "x", routing_key: "k", mandatory: true, immediate: false };
        assembly.begin(&publish).unwrap();
        assembly
    }

    fn header(class: u16, size: u64, properties: &[u8]) -> Vec<u8> {
        let mut payload = class.to_be_bytes().to_vec();
        payload.extend([0, 0]);
        payload.extend(size.to_be_bytes());
        payload.extend(properties);
        payload
    }

    #[test]
    fn a_message_is_complete_with_its_last_byte() {
        let mut assembly = begun();
        assembly.header(&header(60, 5, &[0, 0]), RULES).unwrap();
        assembly.body(b"hel").unwrap();
        assert!(assembly.take().is_none());
        assembly.body(b"lo").unwrap();
        let complete = assembly.take().unwrap();
        assert_eq!((complete.exchange, complete.mandatory), ("x", true));
        assert_eq!(complete.content.routing_key(), b"k");
        assert_eq!(complete.content.body(), b"hello");
        assert!(assembly.is_idle() && assembly.take().is_none());
    }

    #[test]
    fn an_empty_message_has_no_body_frame() {
        let mut assembly = begun();
        assembly.header(&header(60, 0, &[0, 0]), RULES).unwrap();
        assert_eq!(assembly.take().unwrap().content.body(), b"");
    }

    #[track_caller]
    fn check_refused(result: Result<(), AmqpError>, code: Code) {
        assert_eq!(result.unwrap_err().code, code);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let head = |size, properties: &[u8]| begun().header(&header(60, size, properties), RULES);
        check_refused(head(101, &[0, 0]), Code::PreconditionFailed);
        check_refused(head(1, b"\x01\0\x021h"), Code::PreconditionFailed);
        assert_eq!(head(1, b"\x01\0\x0260"), Ok(()));
        check_refused(head(1, b"\0\x10\x04root"), Code::PreconditionFailed);
        check_refused(head(1, &[]), Code::FrameError);
        assert_eq!(head(1, b"\0\x10\x05guest"), Ok(()));
        check_refused(begun().header(&header(50, 1, &[0, 0]), RULES), Code::UnexpectedFrame);
        check_refused(begun().body(b"x"), Code::UnexpectedFrame);
        let mut assembly = begun();
        assembly.header(&header(60, 2, &[0, 0]), RULES).unwrap();
        check_refused(assembly.body(b"xyz"), Code::FrameError);
    }

    #[test]
    fn blind_copies_are_routed_and_not_shown() {
        let table = b"\x02CCA\0\0\0\x06S\0\0\0\x01a\x03BCCA\0\0\0\x06S\0\0\0\x01b";
        let mut properties = vec![0x20, 0];
        properties.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
        properties.extend(table);
        let mut assembly = begun();
        assembly.header(&header(60, 0, &properties), RULES).unwrap();
        let complete = assembly.take().unwrap();
        assert_eq!(complete.copies, ["a", "b"]);
        let shown = String::from_utf8_lossy(complete.content.properties()).into_owned();
        assert!(shown.contains("CC") && !shown.contains("BCC"), "{shown:?}");
    }
}
