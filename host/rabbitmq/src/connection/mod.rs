//! A connection to a broker: where it is, who it trusts, how it is made, what comes through it, and that it is made again.
//!
//! In reading order: `address` says where the broker is, `tls` whom to trust; `open` connects and keeps the channels, with
//! `handshake` and `greeting` before and `socket`, `frame_filter` and `sanitize` beneath the client; `error` is why there is
//! no connection, `fault` what the broker's answers mean, `advice` what to do about them; `refusals` is what the user may not
//! do; `reconnect` is the connection that is made again, `patience` how long that is tried.

pub(crate) mod address;
pub(crate) mod advice;
pub(crate) mod frame_filter;
pub(crate) mod greeting;
pub(crate) mod handshake;
pub(crate) mod open;
pub(crate) mod patience;
pub(crate) mod reconnect;
pub(crate) mod refusals;
pub(crate) mod sanitize;
pub(crate) mod socket;
pub(crate) mod tls;
