//! The subscriptions of a connection, by the number that the broker knows each by.
//!
//! A number is free again when the broker has said that it knows no subscription of it, so that no chunk of an earlier
//! subscription comes to a later one. A count tells two subscriptions with the same number apart.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::error::ProtocolError;
use crate::stream::protocol::incoming::StreamDelivery;

/// A subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The number that the broker knows it by.
    pub(crate) id: u8,
    /// How many there were before.
    count: u64,
}

/// Where what comes of a subscription is sent to: whoever reads it.
pub(crate) struct ChunkSender {
    /// Has room for as many chunks as the broker has credit for.
    pub(crate) deliveries: mpsc::Sender<StreamDelivery>,
    /// Why the subscription has ended, if not because the connection has.
    pub(crate) end: Arc<OnceLock<ResponseCode>>,
}

/// The subscriptions of a connection.
#[derive(Default)]
pub(crate) struct Subscriptions {
    of: HashMap<u8, SubscriptionEntry>,
    count: u64,
}

struct SubscriptionEntry {
    key: Key,
    stream: String,
    reader: ChunkSender,
    state: SubscriptionState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SubscriptionState {
    /// The broker has not answered yet.
    Beginning,
    Open,
    /// The broker was asked to end it.
    Ending,
}

/// What there is to do after a chunk has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    Nothing,
    /// To end a subscription that nobody reads.
    Unsubscribe(Key),
}

impl Subscriptions {
    /// Adds one that the broker is asked for; none if all numbers are taken.
    pub(crate) fn add(&mut self, stream: String, reader: ChunkSender) -> Option<Key> {
        let id = (0..=u8::MAX).find(|id| !self.of.contains_key(id))?;
        let key = Key { id, count: self.count };
        self.count += 1;
        self.of.insert(id, SubscriptionEntry { key, stream, reader, state: SubscriptionState::Beginning });
        Some(key)
    }

    /// Notes that the broker has begun to deliver.
    pub(crate) fn open(&mut self, key: Key) {
        if let Some(entry) = self.get(key).filter(|entry| entry.state == SubscriptionState::Beginning) {
            entry.state = SubscriptionState::Open;
        }
    }

    /// Notes that the broker is asked to end it; whether there is something to end.
    pub(crate) fn begin_to_end(&mut self, key: Key) -> bool {
        let entry = self.get(key).filter(|entry| entry.state != SubscriptionState::Ending);
        entry.map(|entry| entry.state = SubscriptionState::Ending).is_some()
    }

    /// Whether it has not ended.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.of.get(&key.id).is_some_and(|entry| entry.key == key && entry.state != SubscriptionState::Ending)
    }

    /// Forgets one that the broker no longer knows.
    pub(crate) fn remove(&mut self, key: Key) {
        if self.get(key).is_some() {
            self.of.remove(&key.id);
        }
    }

    /// Hands a chunk to its reader.
    pub(crate) fn deliver(&mut self, id: u8, delivery: StreamDelivery) -> Result<Delivered, ProtocolError> {
        // The broker sends nothing more of one that it has said to be ended: the number was damaged on the way.
        let entry = self.of.get_mut(&id).ok_or(ProtocolError::Subscription(id))?;
        // This was sent before the broker knew that it ends.
        if entry.state == SubscriptionState::Ending {
            return Ok(Delivered::Nothing);
        }
        match entry.reader.deliveries.try_send(delivery) {
            Ok(()) => Ok(Delivered::Nothing),
            Err(TrySendError::Full(_)) => Err(ProtocolError::Credit),
            Err(TrySendError::Closed(_)) => Ok(Delivered::Unsubscribe(entry.key)),
        }
    }

    /// Ends one that the broker takes no credit for.
    pub(crate) fn refuse(&mut self, id: u8, code: ResponseCode) {
        // The credit of an earlier one is refused before the broker answers to a later one of the same number.
        self.end_where(code, |entry| entry.key.id == id && entry.state != SubscriptionState::Beginning);
    }

    /// Ends those of a stream that this node no longer has. The broker has ended them before.
    pub(crate) fn end_of(&mut self, stream: &str, code: ResponseCode) {
        self.end_where(code, |entry| entry.stream == stream && entry.state != SubscriptionState::Beginning);
    }

    fn end_where(&mut self, code: ResponseCode, is_meant: impl Fn(&SubscriptionEntry) -> bool) {
        self.of.retain(|_, entry| {
            let ends = is_meant(entry);
            if ends {
                // The first cause counts.
                let _ = entry.reader.end.set(code);
            }
            !ends
        });
    }

    fn get(&mut self, key: Key) -> Option<&mut SubscriptionEntry> {
        self.of.get_mut(&key.id).filter(|entry| entry.key == key)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn reader(credit: usize) -> (ChunkSender, mpsc::Receiver<StreamDelivery>) {
        let (deliveries, receiver) = mpsc::channel(credit);
        (ChunkSender { deliveries, end: Arc::default() }, receiver)
    }

    fn chunk() -> StreamDelivery {
        StreamDelivery { committed_chunk_id: None, chunk: Bytes::from_static(b"chunk") }
    }

    #[test]
    fn more_chunks_than_credit_are_a_fault_of_the_broker() {
        let mut subscriptions = Subscriptions::default();
        let (reader, mut receiver) = reader(1);
        let key = subscriptions.add("s".to_owned(), reader).unwrap();
        assert_eq!(subscriptions.deliver(key.id, chunk()), Ok(Delivered::Nothing));
        assert_eq!(subscriptions.deliver(key.id, chunk()), Err(ProtocolError::Credit));
        assert_eq!(receiver.try_recv(), Ok(chunk()));
    }

    #[test]
    fn one_that_nobody_reads_is_ended_and_its_number_is_free_only_then() {
        let mut subscriptions = Subscriptions::default();
        let (dropped, receiver) = reader(1);
        let first = subscriptions.add("s".to_owned(), dropped).unwrap();
        drop(receiver);
        assert_eq!(subscriptions.deliver(first.id, chunk()), Ok(Delivered::Unsubscribe(first)));
        assert!(subscriptions.begin_to_end(first) && !subscriptions.begin_to_end(first));
        assert_eq!(subscriptions.deliver(first.id, chunk()), Ok(Delivered::Nothing));
        let (other, _receiver) = reader(1);
        let second = subscriptions.add("s".to_owned(), other).unwrap();
        assert_ne!(second.id, first.id);
        subscriptions.remove(first);
        assert_eq!(subscriptions.deliver(first.id, chunk()), Err(ProtocolError::Subscription(first.id)));
        let (other, _receiver) = reader(1);
        let third = subscriptions.add("s".to_owned(), other).unwrap();
        assert_eq!(third.id, first.id);
        // What is late is for the first one.
        subscriptions.remove(first);
        assert!(subscriptions.has(third) && !subscriptions.has(first));
    }

    #[test]
    fn a_stream_that_goes_ends_those_that_the_broker_had_begun() {
        let mut subscriptions = Subscriptions::default();
        let [(open, _a), (beginning, _b), (elsewhere, _c)] = [(); 3].map(|()| reader(1));
        let end = Arc::clone(&open.end);
        let open = subscriptions.add("s".to_owned(), open).unwrap();
        subscriptions.open(open);
        let beginning = subscriptions.add("s".to_owned(), beginning).unwrap();
        let elsewhere = subscriptions.add("t".to_owned(), elsewhere).unwrap();
        subscriptions.open(elsewhere);
        subscriptions.end_of("s", ResponseCode::StreamNotAvailable);
        assert_eq!(end.get(), Some(&ResponseCode::StreamNotAvailable));
        assert_eq!([open, beginning, elsewhere].map(|key| subscriptions.has(key)), [false, true, true]);
    }

    #[test]
    fn a_connection_has_256() {
        let mut subscriptions = Subscriptions::default();
        let add = |_| subscriptions.add("s".to_owned(), reader(1).0);
        assert_eq!((0..300).filter_map(add).count(), 256);
    }
}
