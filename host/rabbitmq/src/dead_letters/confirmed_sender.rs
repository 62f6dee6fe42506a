//! Sending dead letters into one queue: mandatory, confirmed, any number of them under way at once.
//!
//! What the broker refuses for now, most likely because the queue is full, is sent again until it is taken, one
//! after the other.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Mutex;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep};

use crate::connection::open::{Connection, Ended, reason};
use crate::connection::reconnect::DELAYS;
use crate::topology::declare;

/// The least time between two notices that the broker refuses letters.
const SAY_EVERY: Duration = Duration::from_secs(10);

impl From<Ended> for Undelivered {
    fn from(ended: Ended) -> Self {
        Self::Lost(ended.to_string())
    }
}

/// Sends letters into one queue, on a channel of its own.
#[derive(Clone)]
pub(crate) struct ConfirmedSender {
    connection: Arc<Connection>,
    channel: Channel,
    exchange: ShortString,
    key: ShortString,
    queue: Arc<str>,
    /// How long a letter may be refused, if not for ever.
    patience: Option<Duration>,
    /// Why nothing arrives any more, once a letter has come back.
    returned: Arc<OnceLock<String>>,
    /// Held while a letter is sent again: the others wait for their turn.
    turn: Arc<Mutex<Turn>>,
}

#[derive(Default)]
struct Turn {
    /// Since when letters are refused, and how long to wait before the next is sent again.
    refused: Option<(Instant, ExponentialBackoff)>,
    /// When that was said last.
    said: Option<Instant>,
}

/// Why a letter is not sure to be in the queue.
#[derive(Debug)]
pub(crate) enum Undelivered {
    /// The connection or the channel is gone.
    Lost(String),
    /// The broker has no such queue.
    Refused(String),
    /// The broker has refused it for this long, as it does while the queue is full.
    Full(Duration),
}

/// What the broker says to a letter.
enum Answer {
    Taken,
    /// Not now.
    Refused,
}

impl ConfirmedSender {
    /// Sends on `channel` of `connection`, which confirms, through `exchange` with `key`, into `queue`.
    pub(crate) fn new(
        connection: Arc<Connection>,
        channel: Channel,
        (exchange, key): (&str, &str),
        queue: &str,
        patience: Option<Duration>,
    ) -> Self {
        Self {
            connection,
            channel,
            exchange: exchange.into(),
            key: key.into(),
            queue: queue.into(),
            patience,
            returned: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Gives up the channel.
    pub(crate) async fn close(self) {
        declare::close(&self.channel).await;
    }

    /// Sends a letter; the future is ready when the broker has it in the queue.
    ///
    /// A letter that comes back does not say which confirmation is its own, and lapin hands it to the first
    /// that comes after it. So from then on everything counts as undelivered. This holds if one task polls
    /// the futures in the order in which they become ready, as `FuturesUnordered` does.
    pub(crate) fn send(
        &self,
        body: Vec<u8>,
        properties: BasicProperties,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send + use<> {
        let sender = self.clone();
        // What is begun first is sent first: a task that has used up its budget is woken in another order.
        unconstrained(async move {
            let sending = async {
                match sender.send_once(&body, &properties).await? {
                    Answer::Taken => Ok(()),
                    Answer::Refused => sender.send_again(&body, &properties).await,
                }
            };
            sender.connection.answer(sending).await
        })
    }

    async fn send_again(&self, body: &[u8], properties: &BasicProperties) -> Result<(), Undelivered> {
        let mut turn = self.turn.lock().await;
        loop {
            if let Some((since, delays)) = &mut turn.refused {
                let delay = delays.next().unwrap_or_default();
                let left = self.patience.map(|patience| patience.saturating_sub(since.elapsed()));
                if let Some(patience) = self.patience.filter(|_| left == Some(Duration::ZERO)) {
                    return Err(Undelivered::Full(patience));
                }
                sleep(left.map_or(delay, |left| left.min(delay))).await;
            }
            // At once, if the one before has been taken.
            if let Answer::Taken = self.send_once(body, properties).await? {
                turn.refused = None;
                return Ok(());
            }
            turn.refused.get_or_insert_with(|| (Instant::now(), DELAYS.build()));
            if turn.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                turn.said = Some(Instant::now());
                self.connection.warn(&format!(
                    "the broker refuses dead letters for the queue `{}`: most likely it is full (reject-publish); \
                     they are sent again until they are taken",
                    self.queue
                ));
            }
        }
    }

    async fn send_once(&self, body: &[u8], properties: &BasicProperties) -> Result<Answer, Undelivered> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (self.exchange.clone(), self.key.clone());
        let publishing = self.channel.basic_publish(exchange, key, options, body, properties.clone());
        let confirmation = publishing.await.map_err(|e| lost(&e))?;
        let (answer, came_back) = match confirmation.await.map_err(|e| lost(&e))? {
            Confirmation::Ack(came_back) => (Answer::Taken, came_back),
            Confirmation::Nack(came_back) => (Answer::Refused, came_back),
            Confirmation::NotRequested => (Answer::Refused, None),
        };
        if let Some(BasicReturnMessage { reply_text, .. }) = came_back {
            self.returned.get_or_init(|| reply_text.to_string());
        }
        match self.returned.get() {
            Some(why) => Err(Undelivered::Refused(why.clone())),
            None => Ok(answer),
        }
    }
}

fn lost(error: &lapin::Error) -> Undelivered {
    Undelivered::Lost(reason(error))
}
