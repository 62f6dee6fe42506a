//! A subscription to a stream, from which its chunks are read.

use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::connection::{REQUEST_TIMEOUT, loss};
use crate::stream::protocol::error::{Loss, StreamError};
use crate::stream::protocol::incoming::StreamDelivery;
use crate::stream::protocol::session::Order;
use crate::stream::protocol::subscriptions::Key;

/// A subscription to a stream. It ends when it is dropped.
///
/// The broker sends as many chunks as it has credit for. Once it has stopped it sends again when it has more than half of
/// the first credit: whoever gives less back gets no more.
pub struct Subscription {
    pub(super) endpoint: Arc<str>,
    pub(super) stream: String,
    pub(super) key: Key,
    pub(super) deliveries: mpsc::Receiver<StreamDelivery>,
    pub(super) end: Arc<OnceLock<ResponseCode>>,
    pub(super) ended: watch::Receiver<Option<Loss>>,
    pub(super) orders: mpsc::Sender<Order>,
    /// How many chunks were taken whose credit was not given back.
    pub(super) taken: u16,
}

impl Subscription {
    /// The name of the stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The next chunk. Nothing is lost if the future is dropped. An error if the connection or the stream is gone, after
    /// all chunks that came before.
    pub async fn next(&mut self) -> Result<StreamDelivery, StreamError> {
        let delivery = self.deliveries.recv().await.ok_or_else(|| self.cause())?;
        self.taken = self.taken.saturating_add(1);
        Ok(delivery)
    }

    /// How many chunks were taken whose credit was not given back.
    pub fn taken(&self) -> u16 {
        self.taken
    }

    /// Lets the broker send so many more chunks, and not more than were taken and not given back.
    pub async fn give_back(&mut self, chunks: u16) -> Result<(), StreamError> {
        let chunks = chunks.min(self.taken);
        if chunks > 0 {
            self.orders.send(Order::Credit(self.key, chunks)).await.map_err(|_| self.cause())?;
            self.taken -= chunks;
        }
        Ok(())
    }

    /// Ends it; is ready when the broker sends no more.
    pub async fn end(mut self) -> Result<(), StreamError> {
        let (waiter, answered) = oneshot::channel();
        let asking = async {
            self.orders.send(Order::Unsubscribe(self.key, Some(waiter))).await.ok()?;
            // Without an answer it has ended before.
            answered.await.ok()
        };
        let asked = timeout(REQUEST_TIMEOUT, asking).await;
        self.deliveries.close();
        asked.map(drop).map_err(|_| StreamError::Unanswered {
            endpoint: Arc::clone(&self.endpoint),
            what: format!("the end of the subscription to the stream {}", self.stream),
            waited: REQUEST_TIMEOUT,
        })
    }

    fn cause(&self) -> StreamError {
        let endpoint = Arc::clone(&self.endpoint);
        match self.end.get() {
            Some(code) => StreamError::Gone { endpoint, stream: self.stream.clone(), code: *code },
            None => StreamError::Lost { endpoint, loss: loss(&self.ended) },
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // If there is no room for the order, the next chunk that nobody takes ends it.
        let _ = self.orders.try_send(Order::Unsubscribe(self.key, None));
    }
}
