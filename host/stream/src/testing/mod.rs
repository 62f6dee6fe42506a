//! What tests and benchmarks need: chunks, batches and messages as brokers and producers write them, and wrong ones. No
//! part of what reads them.

mod amqp;
mod chunk;
mod message;

pub use amqp::{Amqp, Width};
pub use chunk::{ChunkBuilder, compress};
pub use message::{MessageBuilder, log};
