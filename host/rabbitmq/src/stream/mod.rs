//! Streams as sources of logs: each consumer reads them without taking anything out.
//!
//! In reading order: `options`; `cursor`, which makes positions of offsets; `fingerprint`, what a stream is recognised by; `ends`,
//! what a stream has; `undeliverable`, what it has that does not come that way; `election`, when it can be asked; `begin`, where reading begins; `protocol`, connections in the stream protocol; `receiving`,
//! what both readers do alike; `native`, the reader that uses these; `amqp`, the one that uses
//! AMQP 0-9-1; `way`, which of them is used; `reading`, whichever it is; `past`, a span that is read once; `figures`, what is
//! shown of streams.

pub(crate) mod amqp;
pub(crate) mod begin;
pub(crate) mod cursor;
pub(crate) mod election;
mod ends;
pub(crate) mod figures;
mod fingerprint;
pub(crate) mod native;
pub(crate) mod options;
pub(crate) mod past;
pub(crate) mod protocol;
pub(crate) mod reading;
mod receiving;
pub(crate) mod undeliverable;
pub(crate) mod way;
