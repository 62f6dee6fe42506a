//! What a reader of RabbitMQ streams receives, as bytes: a [`Chunk`], the [`Records`] in it, and each as an AMQP 1.0
//! [`Message`]; a [`ChunkReader`] has a chunk, and goes over it with pauses. Read without copying: a message is a slice of the chunk, or of what a compressed batch was inflated to, and
//! what nobody asks for is stepped over by its length.
//!
//! No input panics, or allocates by a length that was not checked. This crate opens no socket, and does not know what
//! the messages mean.
//!
//! ```
//! use loghost_stream::{Chunk, Inflater, Item, Message, testing};
//!
//! let message = testing::MessageBuilder::new().annotation("x-routing-key", "db").data(b"slow query").encode();
//! let bytes = testing::ChunkBuilder::new(7).entry(&message).encode();
//!
//! let mut inflater = Inflater::default();
//! let chunk = Chunk::parse(&bytes)?;
//! let mut records = chunk.records(0, &mut inflater);
//! while let Some(item) = records.next_item() {
//!     match item {
//!         Item::Message { offset, bytes } => {
//!             assert_eq!(offset, 7);
//!             let message = Message::parse(bytes)?;
//!             assert_eq!(message.annotation_text("x-routing-key")?.expect("there").as_bytes(), b"db");
//!         }
//!         Item::Bad { first, records, error, .. } => panic!("{records} records from offset {first} on: {error}"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunk;
mod entries;
#[cfg(test)]
mod fuzz;
mod message;
pub mod testing;

pub use chunk::{Chunk, ChunkError, Header, Kind};
pub use entries::{BatchError, ChunkReader, Compression, DEFAULT_MAX_INFLATED, Inflater, Item, Records};
pub use message::{
    Array, ArrayIter, Body, DataSections, Described, List, ListIter, MAX_DEPTH, Map, MapIter, Message,
    MessageError, MessageId, Performative, Problem, Properties, SequenceSections, Text, Value,
};
