//! Receiving one message of a queue, and publishing one, through AMQP 1.0: what `RabbitMQ` cannot say in AMQP 0-9-1, it can
//! in this.
//!
//! In reading order: `encode` and `frames` are what is sent and received, `session` logs in, `receiver` and `sender` have a
//! link each; `error` is why something cannot be done.

mod encode;
mod error;
mod frames;
mod receiver;
mod sender;
mod session;

pub(crate) use self::error::Amqp10Error;
pub(crate) use self::receiver::Receiver;
pub(crate) use self::sender::send;

/// The numbers of the types that are sent and received (parts 2, 3 and 5).
const OPEN: u8 = 0x10;
const BEGIN: u8 = 0x11;
const ATTACH: u8 = 0x12;
const FLOW: u8 = 0x13;
const TRANSFER: u8 = 0x14;
const DISPOSITION: u8 = 0x15;
const DETACH: u8 = 0x16;
const END: u8 = 0x17;
const CLOSE: u8 = 0x18;
const ACCEPTED: u8 = 0x24;
const REJECTED: u8 = 0x25;
const RELEASED: u8 = 0x26;
const SOURCE: u8 = 0x28;
const TARGET: u8 = 0x29;
const SASL_MECHANISMS: u8 = 0x40;
const SASL_INIT: u8 = 0x41;
const SASL_OUTCOME: u8 = 0x44;
