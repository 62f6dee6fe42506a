//! A connection to a broker: its address, TLS, how it is made and made again, and how what arrives is read.
//!
//! In reading order: `address` says where the broker is, `tls` whom to trust, `transport` connects for the protocols that the
//! client library does not speak; `open` connects, `channels` holds what is open on the connection, with
//! `handshake`, `product` and `reactor` before and `socket`, `gather`, `frame_filter`, `skip_bodies` and `sanitize` beneath
//! the client; `error` is why there is no connection, `fault` what the broker's errors mean, `advice` what to do about them;
//! `denied_rights` is what the user may not do; `reconnect` is the connection that is made again, `until_ready` how a request is
//! repeated.

pub(crate) mod address;
pub(crate) mod advice;
pub(crate) mod channels;
pub(crate) mod denied_rights;
pub(crate) mod error;
pub(crate) mod fault;
pub(crate) mod frame_filter;
pub(crate) mod gather;
pub(crate) mod handshake;
pub(crate) mod open;
pub(crate) mod product;
pub(crate) mod reactor;
pub(crate) mod reconnect;
pub(crate) mod sanitize;
pub(crate) mod skip_bodies;
pub(crate) mod socket;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod until_ready;
