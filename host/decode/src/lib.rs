//! Decoding: a message becomes one or several logs, whatever producer it comes from.
//!
//! Rules, not cases: a body is unwrapped ([`inflate`], [`amqp1`]), parsed ([`json`], [`plain`], [`otlp`]), taken out of its
//! envelopes ([`envelope`]), and read as a record ([`record`]), in which names that producers use decide what is what. Nothing
//! here does I/O, knows a broker's client, or fails: what cannot be told apart is text. Nothing that comes in panics, and
//! [`Bounds`] hold whatever it is.

mod amqp1;
mod decoder;
mod envelope;
mod inflate;
mod json;
mod key_level;
mod level;
mod message;
mod options;
mod otlp;
mod plain;
mod producer;
mod record;
mod time;
mod value;

pub use decoder::{Decoded, Decoder};
pub use key_level::KeyLevel;
pub use level::SeverityMap;
pub use message::Message;
pub use options::{Bounds, Format, Options, UnknownFormat};
pub use producer::Producer;
pub use value::{Table, Value};
