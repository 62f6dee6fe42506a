//! A message as the broker stores it: once, however many queues it is in.
//!
//! One allocation holds routing key, encoded properties and body; properties are passed on as they came.

use std::sync::Arc;

use crate::memory::Memory;

/// The bytes that a message is charged beside its content: the struct, its counters, the allocator's overhead.
const OVERHEAD: usize = 96;

/// Routing key, encoded properties and body of a message, one after the other.
#[derive(Debug)]
pub(crate) struct Content {
    bytes: Box<[u8]>,
    properties_at: u8,
    body_at: u32,
    expiration: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Message {
    exchange: Arc<str>,
    content: Content,
    memory: Arc<Memory>,
}

impl Content {
    /// `bytes` begins with the routing key; the two offsets say where it and the properties end. The
    /// expiration is in milliseconds.
    pub(crate) fn new(bytes: Vec<u8>, properties_at: u8, body_at: u32, expiration: Option<u32>) -> Self {
        debug_assert!(usize::from(properties_at) <= body_at as usize);
        debug_assert!(body_at as usize <= bytes.len());
        Self { bytes: bytes.into_boxed_slice(), properties_at, body_at, expiration }
    }

    #[cfg(test)]
    pub(crate) fn of(routing_key: &str, body: &str) -> Self {
        let properties_at = u8::try_from(routing_key.len()).unwrap();
        let mut bytes = routing_key.as_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(body.as_bytes());
        Self::new(bytes, properties_at, u32::from(properties_at) + 2, None)
    }

    pub(crate) fn routing_key(&self) -> &[u8] {
        &self.bytes[..usize::from(self.properties_at)]
    }

    /// Flags and values, as in a content header.
    pub(crate) fn properties(&self) -> &[u8] {
        &self.bytes[usize::from(self.properties_at)..self.body_at as usize]
    }

    /// How long it may wait in a queue, in milliseconds.
    pub(crate) fn expiration(&self) -> Option<u32> {
        self.expiration
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.body_at as usize..]
    }
}

impl Message {
    pub(crate) fn new(exchange: Arc<str>, content: Content, memory: &Arc<Memory>) -> Self {
        memory.charge(content.bytes.len() + OVERHEAD);
        Self { exchange, content, memory: Arc::clone(memory) }
    }

    /// Its entries in queues are charged there, too.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The exchange that it was published to.
    pub(crate) fn exchange(&self) -> &str {
        &self.exchange
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Its size for a buffer's limit.
    pub(crate) fn len(&self) -> usize {
        self.content.bytes.len()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.memory.release(self.content.bytes.len() + OVERHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_accounts() {
        let memory = Arc::new(Memory::new(1 << 20));
        let message = Message::new("logs".into(), Content::of("web-1", "hello"), &memory);
        assert_eq!(message.content().routing_key(), b"web-1");
        assert_eq!(message.content().properties(), [0, 0]);
        assert_eq!(message.content().body(), b"hello");
        assert_eq!(memory.used(), 12 + OVERHEAD);
        drop(message);
        assert_eq!(memory.used(), 0);
    }
}
