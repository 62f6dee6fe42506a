//! Sending messages into one queue: mandatory, confirmed, any number of them under way at once.

use std::sync::{Arc, OnceLock};

use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};

use super::connection::{Connection, Ended, reason};
use super::topology;

impl From<Ended> for Undelivered {
    fn from(ended: Ended) -> Self {
        Self::Lost(ended.to_string())
    }
}

/// Sends messages into one queue, on a channel of its own.
#[derive(Clone)]
pub(super) struct Courier {
    connection: Arc<Connection>,
    channel: Channel,
    exchange: ShortString,
    key: ShortString,
    /// Why nothing arrives any more, once a message has come back.
    returned: Arc<OnceLock<String>>,
}

/// Why a message is not sure to be in the queue.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// The connection or the channel is gone.
    Lost(String),
    /// The broker has no such queue, or does not take more.
    Refused(String),
}

impl Courier {
    /// Sends on `channel` of `connection`, which confirms, through `exchange` with `key`.
    pub(super) fn new(connection: Arc<Connection>, channel: Channel, exchange: &str, key: &str) -> Self {
        let (exchange, key) = (exchange.into(), key.into());
        Self { connection, channel, exchange, key, returned: Arc::default() }
    }

    /// Gives up the channel.
    pub(super) async fn close(self) {
        topology::close(&self.channel).await;
    }

    /// Sends a message; the future is ready when the broker has it in the queue.
    ///
    /// A message that comes back does not say which confirmation is its own, and lapin hands it to the first
    /// that comes after it. So from then on everything counts as undelivered. This holds if one task polls
    /// the futures in the order in which they become ready, as `FuturesUnordered` does.
    pub(super) fn send(
        &self,
        body: Vec<u8>,
        properties: BasicProperties,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send + use<> {
        let Self { connection, channel, exchange, key, returned } = self.clone();
        let sending = async move {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let publishing = channel.basic_publish(exchange, key, options, &body, properties);
            let confirmation = publishing.await.map_err(|e| lost(&e))?;
            // The client has its own copy by now.
            drop(body);
            let (taken, came_back) = match confirmation.await.map_err(|e| lost(&e))? {
                Confirmation::Ack(came_back) => (true, came_back),
                Confirmation::Nack(came_back) => (false, came_back),
                Confirmation::NotRequested => (false, None),
            };
            if let Some(BasicReturnMessage { reply_text, .. }) = came_back {
                returned.get_or_init(|| reply_text.to_string());
            }
            match returned.get() {
                Some(why) => Err(Undelivered::Refused(why.clone())),
                None if taken => Ok(()),
                None => Err(Undelivered::Refused("the broker refused it".to_owned())),
            }
        };
        async move { connection.answer(sending).await }
    }
}

fn lost(error: &lapin::Error) -> Undelivered {
    Undelivered::Lost(reason(error))
}
