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

use crate::connection::fault::{ConnectionEnded, Fault, fault, reason};
use crate::connection::open::Connection;
use crate::connection::reconnect::DELAYS;
use crate::topology::channel::close;
use crate::topology::event::TopologyEvent;

/// The least time between two notices that the broker refuses dead letters.
const NOTICE_INTERVAL: Duration = Duration::from_secs(10);

impl From<ConnectionEnded> for Undelivered {
    fn from(ended: ConnectionEnded) -> Self {
        Self::Lost(ended.to_string())
    }
}

/// Sends dead letters into one queue, on a channel of its own.
#[derive(Clone)]
pub(crate) struct ConfirmedSender {
    connection: Arc<Connection>,
    channel: Channel,
    exchange: ShortString,
    key: ShortString,
    queue: Arc<str>,
    /// How long a dead letter may be refused; none if there is no timeout.
    timeout: Option<Duration>,
    /// The broker's reason, once it has returned a dead letter.
    returned: Arc<OnceLock<String>>,
    /// Locked while a dead letter is sent again: the others wait.
    resending: Arc<Mutex<Resending>>,
}

#[derive(Default)]
struct Resending {
    /// Since when dead letters are refused, and how long to wait before the next is sent again.
    refused: Option<(Instant, ExponentialBackoff)>,
    /// When that was said last.
    said: Option<Instant>,
}

/// Why a dead letter may not be in the queue.
#[derive(Debug)]
pub(crate) enum Undelivered {
    /// The connection or the channel is gone.
    Lost(String),
    /// The broker has no such queue.
    Refused(String),
    /// The user may not publish there.
    Denied(String),
    /// The broker has refused it for this long, as it does while the queue is full.
    Full(Duration),
}

/// The broker's answer to a dead letter.
enum SendAnswer {
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
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            connection,
            channel,
            exchange: exchange.into(),
            key: key.into(),
            queue: queue.into(),
            timeout,
            returned: Arc::default(),
            resending: Arc::default(),
        }
    }

    /// Closes the channel.
    pub(crate) async fn close(self) {
        close(&self.channel).await;
    }

    /// Sends a dead letter; the future is ready when the broker has it in the queue.
    ///
    /// A returned message does not say which confirmation is its own, and lapin attaches it to the next one. So from then on
    /// everything counts as undelivered. This holds if one task polls the futures in the order in which they become ready,
    /// as `FuturesUnordered` does.
    pub(crate) fn send(
        &self,
        body: Vec<u8>,
        properties: BasicProperties,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send + use<> {
        let sender = self.clone();
        // They are sent in the order of their first polls: tokio would wake a task that has used up its budget later.
        unconstrained(async move {
            let sending = async {
                match sender.send_once(&body, &properties).await? {
                    SendAnswer::Taken => Ok(()),
                    SendAnswer::Refused => sender.send_again(&body, &properties).await,
                }
            };
            sender.connection.answer(sending).await
        })
    }

    async fn send_again(&self, body: &[u8], properties: &BasicProperties) -> Result<(), Undelivered> {
        let mut resending = self.resending.lock().await;
        loop {
            if let Some((since, delays)) = &mut resending.refused {
                let delay = delays.next().unwrap_or_default();
                let left = self.timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
                if let Some(timeout) = self.timeout.filter(|_| left == Some(Duration::ZERO)) {
                    return Err(Undelivered::Full(timeout));
                }
                sleep(left.map_or(delay, |left| left.min(delay))).await;
            }
            // At once, if the one before has been taken.
            if let SendAnswer::Taken = self.send_once(body, properties).await? {
                resending.refused = None;
                return Ok(());
            }
            resending.refused.get_or_insert_with(|| (Instant::now(), DELAYS.build()));
            if resending.said.is_none_or(|said| said.elapsed() >= NOTICE_INTERVAL) {
                resending.said = Some(Instant::now());
                let queue = self.queue.to_string();
                self.connection.tell(None, &TopologyEvent::DeadLettersRefused { queue });
            }
        }
    }

    async fn send_once(&self, body: &[u8], properties: &BasicProperties) -> Result<SendAnswer, Undelivered> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (self.exchange.clone(), self.key.clone());
        let publishing = self.channel.basic_publish(exchange, key, options, body, properties.clone());
        let confirmation = publishing.await.map_err(|e| lost(&e))?;
        let (answer, returned_message) = match confirmation.await.map_err(|e| lost(&e))? {
            Confirmation::Ack(returned_message) => (SendAnswer::Taken, returned_message),
            Confirmation::Nack(returned_message) => (SendAnswer::Refused, returned_message),
            Confirmation::NotRequested => (SendAnswer::Refused, None),
        };
        if let Some(BasicReturnMessage { reply_text, .. }) = returned_message {
            self.returned.get_or_init(|| reply_text.to_string());
        }
        match self.returned.get() {
            Some(why) => Err(Undelivered::Refused(why.clone())),
            None => Ok(answer),
        }
    }
}

fn lost(error: &lapin::Error) -> Undelivered {
    match fault(error) {
        Fault::Permission => Undelivered::Denied(reason(error)),
        _ => Undelivered::Lost(reason(error)),
    }
}

/// Says that a queue has taken no dead letter for so long.
pub(crate) fn full(queue: &str, tried_for: Duration) -> String {
    let tried = humantime::format_duration(tried_for);
    format!("the queue `{queue}` takes no dead letter (tried for {tried}): make room in it")
}
