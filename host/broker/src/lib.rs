//! An in-memory AMQP 0-9-1 broker, for development and tests.
//!
//! One process, one virtual host, one user; nothing outlives it, and memory is bounded. What it does
//! is what a client of `RabbitMQ` expects; what `RabbitMQ` does and it does not is refused, never ignored.
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
//! - `server` accepts, `connection` is one client from first byte to last: `handshake`, then a
//!   `session` whose frames go to its `channel`s;
//! - `frame`, `fields`, `method`, `content` take apart what arrives; `outbox`, `writer`, `encode`
//!   put together what leaves;
//! - `state` is what all share: exchanges, queues, deliveries. It knows neither sockets nor frames;
//! - `memory` counts the bytes of every `message` and holds publishers back.

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
