//! Messages that the broker cannot deliver: for each, `RabbitMQ` ends the connection of the consumer with an internal error, at
//! each delivery. What is at the head of the queue then stops all that is behind it.
//!
//! In reading order: `search` is when such a message is looked for, `find` proves that there is one, and `message` is the source
//! that has it alone. `in_streams` is the same for a stream, where it stays.

pub(crate) mod find;
pub(crate) mod in_streams;
pub(crate) mod message;
pub(crate) mod search;
