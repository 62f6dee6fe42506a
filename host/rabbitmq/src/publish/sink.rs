//! Publishing: persistent, `mandatory`, confirmed, with a bounded number of logs in flight.
//!
//! When the connection is lost, what has no answer is sent again on the next one: in its order, with its
//! ids, to exchanges that are declared again. What the broker refuses for now is sent again until it is taken.
//! When the broker closes a channel because of a log that it does not take, those that had no answer are sent one at a time
//! until it is known which: that one is given up, and said.

mod channel;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use loghost_core::application::{BoxError, Confirmed, LogSink, PublisherEvent, Receipts, SinkError};
use loghost_core::domain::{ConsumerName, Log, MessageId, Severity, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use crate::connection::error::ConnectError;
use crate::connection::fault::reason;
use crate::connection::open::Connection;
use crate::connection::reconnect::{DELAYS, ReconnectingConnection};
use crate::message::record;
use crate::publish::destination::Destination;
use crate::publish::refusal::{Refusals, RefusedLogs};
use crate::publish::unconfirmed::{OutgoingMessage, Processed, Unconfirmed};
use crate::topology::error::TopologyError;

/// The longest time that is waited for an answer before it is checked that the channel is still open.
const LONGEST: Duration = Duration::from_secs(1);

/// The least time that is waited for an answer.
const SHORTEST: Duration = Duration::from_millis(10);

/// Publishes to the exchanges of a broker.
pub struct AmqpSink {
    connection: Arc<ReconnectingConnection>,
    destination: Destination,
    /// The severities of the logs so far: whose exchanges are needed.
    in_use: Vec<Severity>,
    /// With its connection; none when it was lost.
    channel: Option<(Channel, Arc<Connection>)>,
    unconfirmed: Unconfirmed,
    /// The broker's reason for the last log that it does not take.
    refusal: Option<String>,
    refusals: Refusals,
    answers: FuturesUnordered<PendingAnswer>,
}

type PendingAnswer = Pin<Box<dyn Future<Output = (u64, lapin::Result<Confirmation>)> + Send>>;

impl AmqpSink {
    /// Opens a channel on the connection, for logs of these severities at first.
    pub async fn open(
        connection: Arc<ReconnectingConnection>,
        destination: Destination,
        severities: impl IntoIterator<Item = Severity>,
    ) -> Result<Self, SinkError> {
        let mut sink = Self {
            connection,
            destination,
            in_use: severities.into_iter().collect(),
            channel: None,
            unconfirmed: Unconfirmed::default(),
            refusal: None,
            refusals: Refusals::default(),
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
                // The queue is full.
                Confirmation::Nack(None) => sleep(delays.next().unwrap_or(LONGEST)).await,
                _ => return Err(lost(format!("the queue of consumer {consumer} is gone"))),
            }
        }
    }

    /// Sends what is to be sent now.
    fn send(&mut self) {
        let Some((channel, _)) = &self.channel else { return };
        while let Some((number, message)) = self.unconfirmed.take_to_send(self.answers.len()) {
            let channel = channel.clone();
            let exchange = self.destination.exchange(&message.log).into();
            let key = message.routing_key.clone();
            let properties = self.destination.properties(&message);
            self.answers.push(Box::pin(async move {
                let body = message.log.message.as_bytes();
                match channel.basic_publish(exchange, key, mandatory(), body, properties).await {
                    Ok(confirmation) => (number, confirmation.await),
                    Err(error) => (number, Err(error)),
                }
            }));
        }
    }

    /// Processes the answers that have arrived.
    fn take_answers(&mut self) -> Result<(), SinkError> {
        // Polling also starts what was pushed.
        while let Some(Some((number, answer))) = self.answers.next().now_or_never() {
            self.take(number, answer)?;
        }
        Ok(())
    }

    /// Waits for an answer, on a new channel if need be. Nothing is lost if the future is dropped.
    async fn wait(&mut self) -> Result<(), SinkError> {
        self.reopen().await?;
        self.send();
        let due =
            self.unconfirmed.due_at().map_or(LONGEST, |due| due.saturating_duration_since(Instant::now()));
        // With no answer pending, this waits for what is held back.
        let next = async {
            match self.answers.next().await {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        };
        if let Ok((number, answer)) = timeout(due.clamp(SHORTEST, LONGEST), next).await {
            self.take(number, answer)?;
        } else {
            // Of a channel that is closed, the client may give no answer.
            self.channel
                .take_if(|(channel, connection)| !channel.status().connected() || !connection.is_alive());
        }
        self.check_timeout()
    }

    fn take(&mut self, number: u64, answer: lapin::Result<Confirmation>) -> Result<(), SinkError> {
        match answer {
            Ok(confirmation) => {
                self.process(number, confirmation);
                Ok(())
            }
            Err(error) => self.lose(number, error),
        }
    }

    fn process(&mut self, number: u64, confirmation: Confirmation) {
        match self.unconfirmed.process(number, confirmation, &self.destination) {
            Processed::Deferred(message) => return self.refusals.refused(&message, &self.connection),
            Processed::Confirmed(message) => {
                self.connection.tell_of_publishing(PublisherEvent::Confirmed(&message.log));
            }
            Processed::Answered => {}
        }
        if !self.unconfirmed.holds_back() {
            self.refusals.all_taken(&self.connection);
        }
    }

    /// Gives up what the broker has refused for too long.
    fn check_timeout(&mut self) -> Result<(), SinkError> {
        let timeout = self.connection.retry_timeout();
        let Some(tried_for) = timeout.filter(|timeout| self.unconfirmed.is_overdue(*timeout)) else {
            return Ok(());
        };
        let logs = self.unconfirmed.give_up();
        Err(SinkError::Failed(RefusedLogs { logs, tried_for }.into()))
    }
}

/// No further connection is made, for whatever reason.
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

fn mandatory() -> BasicPublishOptions {
    BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() }
}

impl LogSink for AmqpSink {
    async fn publish(&mut self, id: &MessageId, timestamp: Timestamp, log: &Log) -> Result<(), SinkError> {
        let routing_key = match self.destination.routing_key(log) {
            Ok(routing_key) => routing_key,
            Err(error) => {
                let reason = error.to_string();
                self.connection.tell_of_publishing(PublisherEvent::GivenUp(id, log, &reason));
                self.unconfirmed.refuse_unsent(log.severity);
                self.refusal = Some(reason);
                return Ok(());
            }
        };
        self.unconfirmed.add(OutgoingMessage { id: id.clone(), timestamp, log: log.clone(), routing_key });
        self.reopen().await?;
        self.need(log.severity).await?;
        self.send();
        self.take_answers()?;
        self.check_timeout()?;
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
