//! Publishing: persistent, `mandatory`, confirmed, with a bounded number of logs in flight.
//!
//! When the connection is lost, what has no answer is sent again on the next one: in its order, with its
//! ids, to exchanges that are declared again. What the broker refuses for now is sent again until it is taken.
//! When the broker closes a channel because of something that it was sent, these are sent one at a time, until
//! the one that it does not take is known: that one is given up, and said.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use loghost_core::application::{BoxError, Confirmed, Level, LogSink, Receipts, SinkError};
use loghost_core::domain::{ConsumerName, Log, MessageId, Severity, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use crate::connection::open::{ConnectError, Connection, Fault, fault, reason};
use crate::connection::reconnect::{DELAYS, ReconnectingConnection};
use crate::message::names::Names;
use crate::message::record;
use crate::publish::unconfirmed::{Message, Settled, Unconfirmed};
use crate::topology::declare::{self, Exchanges, TopologyError, declare_exchanges, open_confirming_channel};

/// How long to wait for an answer before looking whether the channel is still there.
const LOOK: Duration = Duration::from_secs(1);

/// The least time that is waited where there is nothing to be sent.
const REST: Duration = Duration::from_millis(10);

/// The least time between two notices that the broker refuses logs: beside a slow consumer it does again and
/// again.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Publishes to the exchanges of a broker.
pub struct AmqpSink {
    link: Arc<ReconnectingConnection>,
    names: Names,
    exchanges: Exchanges,
    /// The severities of the logs so far: whose exchanges are needed.
    in_use: Vec<Severity>,
    /// With its connection; none when it was lost.
    channel: Option<(Channel, Arc<Connection>)>,
    unconfirmed: Unconfirmed,
    /// What was said to the last log that the broker does not take.
    refusal: Option<String>,
    /// When it was said last that the broker refuses logs, and whether it is still to be said that it no
    /// longer does.
    said: Option<Instant>,
    refusing: Refusing,
    answers: FuturesUnordered<Answer>,
}

type Answer = Pin<Box<dyn Future<Output = (u64, lapin::Result<Confirmation>)> + Send>>;

/// Whether the broker refuses logs for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusing {
    No,
    /// It was said.
    Said,
    /// It was said not long before.
    Unsaid,
}

/// Logs that the broker has refused for too long.
#[derive(Debug, thiserror::Error)]
#[error(
    "the broker has refused {logs} logs, or one before them of their severity and source (tried for {}): make room \
     in the queue that is full",
    humantime::format_duration(*.patience)
)]
struct RefusedLogs {
    logs: usize,
    patience: Duration,
}

impl AmqpSink {
    /// Opens a channel on the link's connection, for logs of these severities at first.
    pub async fn open(
        link: Arc<ReconnectingConnection>,
        names: Names,
        exchanges: Exchanges,
        severities: impl IntoIterator<Item = Severity>,
    ) -> Result<Self, SinkError> {
        let mut sink = Self {
            link,
            names,
            exchanges,
            in_use: severities.into_iter().collect(),
            channel: None,
            unconfirmed: Unconfirmed::default(),
            refusal: None,
            said: None,
            refusing: Refusing::No,
            answers: FuturesUnordered::new(),
        };
        sink.reopen().await?;
        Ok(sink)
    }

    /// Sends the marker `token` into `queue`, behind all that has been confirmed.
    pub async fn mark(&mut self, queue: &str, consumer: &ConsumerName, token: &str) -> Result<(), SinkError> {
        let lost = |reason: String| SinkError::Failed(BoxError::from(reason));
        let properties =
            BasicProperties::default().with_type(record::MARKER_TYPE.into()).with_message_id(token.into());
        let mut delays: ExponentialBackoff = DELAYS.build();
        loop {
            let (channel, _) = self.channel.as_ref().ok_or_else(|| lost("the channel is gone".to_owned()))?;
            let properties = properties.clone();
            let confirmation = channel
                .basic_publish("".into(), queue.into(), mandatory(), b"", properties)
                .await
                .map_err(|e| lost(reason(&e)))?
                .await
                .map_err(|e| lost(reason(&e)))?;
            match confirmation {
                Confirmation::Ack(None) => return Ok(()),
                // There is no room for it yet.
                Confirmation::Nack(None) => sleep(delays.next().unwrap_or(LOOK)).await,
                _ => return Err(lost(format!("the queue of consumer {consumer} is gone"))),
            }
        }
    }

    /// Opens a channel if there is none, on a new connection if there is none.
    async fn reopen(&mut self) -> Result<(), SinkError> {
        while self.channel.is_none() {
            let connection = self.link.connection().await?;
            let prepared = tokio::select! {
                prepared = prepare(&connection, &self.names, self.exchanges, &self.in_use) => prepared,
                () = connection.end() => continue,
            };
            match prepared {
                Ok(channel) => {
                    self.channel = Some((channel, connection));
                    self.answers = FuturesUnordered::new();
                    self.unconfirmed.lose_channel();
                }
                // The link says what has happened, and waits.
                Err(error) if !error.is_refusal() && connection.is_gone().await => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes sure of the exchange of a severity, if this is its first log.
    async fn need(&mut self, severity: Severity) -> Result<(), SinkError> {
        if self.in_use.contains(&severity) {
            return Ok(());
        }
        self.in_use.push(severity);
        let Some((_, connection)) = self.channel.as_ref().filter(|_| self.exchanges == Exchanges::Own) else {
            return Ok(());
        };
        match connection.answer(declare_exchanges(connection, &self.names, [severity])).await {
            // The next one begins with all that are in use.
            Err(error) if !error.is_refusal() => self.channel = None,
            declared => declared?,
        }
        Ok(())
    }

    /// Sends what is to be sent now.
    fn send(&mut self) {
        let Some((channel, _)) = &self.channel else { return };
        while let Some((number, message)) = self.unconfirmed.take_to_send(self.answers.len()) {
            let channel = channel.clone();
            let exchange = self.names.exchange(message.log.severity).into();
            self.answers.push(Box::pin(async move {
                let Message { id, timestamp, log } = &*message;
                let (key, properties) = (record::routing_key(log), record::properties(id, *timestamp, log));
                let body = log.message.as_bytes();
                match channel.basic_publish(exchange, key, mandatory(), body, properties).await {
                    Ok(confirmation) => (number, confirmation.await),
                    Err(error) => (number, Err(error)),
                }
            }));
        }
    }

    /// Takes in the answers that are there.
    fn take_answers(&mut self) -> Result<(), SinkError> {
        // Polling also starts what was pushed.
        while let Some(Some((number, answer))) = self.answers.next().now_or_never() {
            self.take(number, answer)?;
        }
        Ok(())
    }

    /// Waits for an answer, wherever it takes to get one. Nothing is lost if the future is dropped.
    async fn wait(&mut self) -> Result<(), SinkError> {
        self.reopen().await?;
        self.send();
        let due = self.unconfirmed.due_at().map_or(LOOK, |due| due.saturating_duration_since(Instant::now()));
        // With nothing under way, it is waited for what is held back.
        let next = async {
            match self.answers.next().await {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        };
        if let Ok((number, answer)) = timeout(due.clamp(REST, LOOK), next).await {
            self.take(number, answer)?;
        } else {
            // An answer that the client will not give.
            self.channel
                .take_if(|(channel, connection)| !channel.status().connected() || !connection.is_alive());
        }
        self.check_patience()
    }

    fn take(&mut self, number: u64, answer: lapin::Result<Confirmation>) -> Result<(), SinkError> {
        match answer {
            Ok(confirmation) => {
                self.settle(number, confirmation);
                Ok(())
            }
            Err(error) => self.lose(number, error),
        }
    }

    fn settle(&mut self, number: u64, confirmation: Confirmation) {
        let settled = self.unconfirmed.settle(number, confirmation, |exchange| self.names.severity(exchange));
        match settled {
            Settled::Refused(message) if self.refusing == Refusing::No => {
                self.refusing = Refusing::Unsaid;
                if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                    self.refusing = Refusing::Said;
                    self.said = Some(Instant::now());
                    let log = describe(&message);
                    self.link.say(Level::Warning, &format!(
                        "the broker refused the log {log}: most likely a queue that it goes to is full \
                         (reject-publish); it is sent again until it is taken, and what comes after it of its \
                         severity and source waits"
                    ));
                }
            }
            Settled::Answered if self.refusing != Refusing::No && !self.unconfirmed.holds_back() => {
                if self.refusing == Refusing::Said {
                    self.link.say(Level::Info, "the broker has taken the logs that it had refused");
                }
                self.refusing = Refusing::No;
            }
            Settled::Refused(_) | Settled::Answered => {}
        }
    }

    /// Gives up what the broker has refused for too long.
    fn check_patience(&mut self) -> Result<(), SinkError> {
        let Some(patience) = self.link.patience().filter(|patience| self.unconfirmed.is_overdue(*patience))
        else {
            return Ok(());
        };
        let logs = self.unconfirmed.give_up();
        Err(SinkError::Failed(RefusedLogs { logs, patience }.into()))
    }

    /// Gives up the channel, after the answer to a log was an error.
    fn lose(&mut self, number: u64, error: lapin::Error) -> Result<(), SinkError> {
        self.channel = None;
        let mut worst = (fault(&error), error);
        // What has been confirmed by now is. And of several errors the broker's own says most.
        while let Some(Some((number, answer))) = self.answers.next().now_or_never() {
            match answer {
                Ok(confirmation) => self.settle(number, confirmation),
                Err(error) => {
                    if fault(&error) > worst.0 {
                        worst = (fault(&error), error);
                    }
                }
            }
        }
        let (fault, error) = worst;
        match fault {
            Fault::Elsewhere => {}
            // They are declared again.
            Fault::Missing if self.exchanges == Exchanges::Own => {}
            Fault::Permission => {
                return Err(declare::failed("write to the exchanges".to_owned(), &error).into());
            }
            Fault::Ours | Fault::Missing if self.unconfirmed.is_alone(number) => {
                if let Some(message) = self.unconfirmed.refuse(number) {
                    let (log, reason) = (describe(&message), reason(&error));
                    self.link.say(
                        Level::Error,
                        &format!("the broker does not take the log {log}, which is given up: {reason}"),
                    );
                    self.refusal = Some(reason);
                }
            }
            Fault::Ours | Fault::Missing => self.unconfirmed.suspect(),
        }
        Ok(())
    }
}

/// There will be no connection any more, whyever.
impl From<ConnectError> for SinkError {
    fn from(error: ConnectError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<TopologyError> for SinkError {
    fn from(error: TopologyError) -> Self {
        if error.is_refusal() { Self::Refused(error.into()) } else { Self::Failed(error.into()) }
    }
}

async fn prepare(
    connection: &Connection,
    names: &Names,
    exchanges: Exchanges,
    in_use: &[Severity],
) -> Result<Channel, TopologyError> {
    if exchanges == Exchanges::Own && !in_use.is_empty() {
        // The broker may have come back empty.
        declare_exchanges(connection, names, in_use.iter().copied()).await?;
    }
    open_confirming_channel(connection).await
}

fn mandatory() -> BasicPublishOptions {
    BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() }
}

/// A log, so that whoever has sent it finds it.
fn describe(message: &Message) -> String {
    let Message { id, log, .. } = message;
    let bytes = log.message.len();
    match &log.source {
        Some(source) => format!("{id} ({} of {source}, {bytes} bytes)", log.severity),
        None => format!("{id} ({}, {bytes} bytes)", log.severity),
    }
}

impl LogSink for AmqpSink {
    async fn publish(&mut self, id: &MessageId, timestamp: Timestamp, log: &Log) -> Result<(), SinkError> {
        self.unconfirmed.keep(Message { id: id.clone(), timestamp, log: log.clone() });
        self.reopen().await?;
        self.need(log.severity).await?;
        self.send();
        self.take_answers()?;
        self.check_patience()?;
        while self.unconfirmed.is_full() {
            self.wait().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        while !self.unconfirmed.is_empty() {
            self.wait().await?;
        }
        Ok(())
    }

    fn give_up(&mut self) {
        match self.channel {
            Some(_) => drop(self.unconfirmed.give_up()),
            None => self.unconfirmed.give_up_all(),
        }
    }

    fn refusal(&self) -> Option<String> {
        self.refusal.clone()
    }

    fn receipts(&self) -> Receipts {
        self.unconfirmed.receipts()
    }

    fn take_confirmed(&mut self) -> Confirmed {
        self.unconfirmed.take_confirmed()
    }
}
