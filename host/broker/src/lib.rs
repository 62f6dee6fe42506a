//! An in-memory AMQP 0-9-1 broker, for development and tests.
//!
//! One process, one virtual host, one user; nothing is stored on disk, and memory is bounded. It behaves as
//! `RabbitMQ` does; features of `RabbitMQ` that it lacks are refused, never ignored.
//!
//! ```no_run
//! # async fn example() -> Result<(), loghost_broker::BindError> {
//! use loghost_broker::{Broker, Options};
//!
//! let broker = Broker::bind(([127, 0, 0, 1], 0).into(), Options::default()).await?;
//! println!("{}", broker.url());
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! From the socket inwards:
//!
//! - `server` accepts connections; `connection` runs one of them: `handshake`, then a `session` that passes frames to
//!   its `channel`s;
//! - `frame`, `fields`, `method`, `content` decode what arrives; `outbox`, `writer`, `encode` encode what is sent;
//! - `state` is what all connections share: exchanges, queues, deliveries. It uses neither sockets nor frames;
//! - `memory` counts the bytes of every `message` and blocks publishers when there are too many.

mod channel;
mod client;
mod connection;
mod content;
mod death;
mod encode;
mod error;
mod fields;
mod frame;
#[cfg(test)]
mod fuzz;
mod handshake;
mod memory;
mod message;
mod method;
mod options;
mod outbox;
mod server;
mod session;
mod shared;
mod state;
mod writer;

pub use crate::{
    options::Options,
    server::{BindError, Broker},
};
