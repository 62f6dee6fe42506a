//! Publishing: persistent, `mandatory`, confirmed, with a bounded number of logs in flight.
//!
//! When the connection is lost, what has no answer is sent again on the next one: in its order, with its
//! ids, to exchanges that are declared again. When the broker closes a channel because of something that
//! it was sent, these are sent one at a time, until the one that it does not take is known.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use loghost_core::application::{BoxError, Confirmed, LogSink, Receipts, SinkError};
use loghost_core::domain::{ConsumerName, Log, MessageId, Timestamp};
use tokio::time::timeout;

use super::connection::{Connection, Fault, fault, reason};
use super::kept::{Kept, Message};
use super::link::Link;
use super::names::Names;
use super::topology::{self, Exchanges, TopologyError, declare_exchanges, open_confirming_channel};
use super::wire;

/// How long to wait for an answer before looking whether the channel is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Publishes to the exchanges of a broker.
pub(crate) struct AmqpSink {
    link: Arc<Link>,
    names: Names,
    exchanges: Exchanges,
    /// With its connection; none when it was lost.
    channel: Option<(Channel, Arc<Connection>)>,
    kept: Kept,
    /// What comes before this number has been sent on the channel.
    sent: u64,
    /// What comes before this number is sent one at a time: one of them is at fault.
    suspects: u64,
    answers: FuturesUnordered<Answer>,
}

type Answer = Pin<Box<dyn Future<Output = (u64, lapin::Result<Confirmation>)> + Send>>;

/// A log that the broker closes the channel for, each time.
#[derive(Debug, thiserror::Error)]
#[error("the broker does not take the log {id} ({origin}, {bytes} bytes): {reason}")]
pub(crate) struct RejectedLog {
    id: String,
    origin: String,
    bytes: usize,
    reason: String,
}

impl AmqpSink {
    /// Opens a channel on the link's connection.
    pub(crate) async fn open(link: Arc<Link>, names: Names, exchanges: Exchanges) -> Result<Self, SinkError> {
        let mut sink = Self {
            link,
            names,
            exchanges,
            channel: None,
            kept: Kept::default(),
            sent: 0,
            suspects: 0,
            answers: FuturesUnordered::new(),
        };
        sink.reopen().await?;
        Ok(sink)
    }

    /// Sends the marker `token` into `queue`, behind all that has been confirmed.
    pub(crate) async fn mark(
        &mut self,
        queue: &str,
        consumer: &ConsumerName,
        token: &str,
    ) -> Result<(), SinkError> {
        let lost = |reason: String| SinkError(BoxError::from(reason));
        let properties =
            BasicProperties::default().with_type(wire::MARKER_TYPE.into()).with_message_id(token.into());
        let (channel, _) = self.channel.as_ref().ok_or_else(|| lost("the channel is gone".to_owned()))?;
        let confirmation = channel
            .basic_publish("".into(), queue.into(), mandatory(), b"", properties)
            .await
            .map_err(|e| lost(reason(&e)))?
            .await
            .map_err(|e| lost(reason(&e)))?;
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            _ => Err(lost(format!("the queue of consumer {consumer} is gone"))),
        }
    }

    /// Opens a channel if there is none, on a new connection if there is none.
    async fn reopen(&mut self) -> Result<(), SinkError> {
        while self.channel.is_none() {
            let connection = self.link.connection().await.map_err(|e| SinkError(e.into()))?;
            let prepared = tokio::select! {
                prepared = prepare(&connection, &self.names, self.exchanges) => prepared,
                () = connection.end() => continue,
            };
            match prepared {
                Ok(channel) => {
                    self.channel = Some((channel, connection));
                    self.answers = FuturesUnordered::new();
                    self.sent = 0;
                }
                // The link says what has happened, and waits.
                Err(error) if !error.is_refusal() && connection.is_gone().await => {}
                Err(error) => return Err(SinkError(error.into())),
            }
        }
        Ok(())
    }

    /// Sends what is kept and has not been sent on this channel; of suspects, one.
    fn send(&mut self) {
        let Some(first) = self.kept.first() else { return };
        let end = if first >= self.suspects {
            self.kept.next()
        } else if self.answers.is_empty() {
            first + 1
        } else {
            return;
        };
        for number in self.sent.max(first)..end {
            let (Some(channel), Some(message)) = (self.channel.as_ref(), self.kept.take_to_send(number))
            else {
                continue;
            };
            let channel = channel.0.clone();
            let exchange = self.names.exchange(message.log.severity).into();
            self.answers.push(Box::pin(async move {
                let Message { id, timestamp, log } = &*message;
                let (key, properties) = (wire::routing_key(log), wire::properties(id, *timestamp, log));
                let body = log.message.as_bytes();
                match channel.basic_publish(exchange, key, mandatory(), body, properties).await {
                    Ok(confirmation) => (number, confirmation.await),
                    Err(error) => (number, Err(error)),
                }
            }));
        }
        self.sent = end;
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
        match timeout(LOOK, self.answers.next()).await {
            Ok(Some((number, answer))) => self.take(number, answer)?,
            Ok(None) => {}
            Err(_) => {
                // An answer that the client will not give.
                self.channel
                    .take_if(|(channel, connection)| !channel.status().connected() || !connection.is_alive());
            }
        }
        Ok(())
    }

    fn take(&mut self, number: u64, answer: lapin::Result<Confirmation>) -> Result<(), SinkError> {
        match answer {
            Ok(confirmation) => {
                self.kept.settle(number, confirmation, |exchange| self.names.severity(exchange));
                Ok(())
            }
            Err(error) => self.lose(number, error),
        }
    }

    /// Gives up the channel, after the answer to a log was an error.
    fn lose(&mut self, number: u64, error: lapin::Error) -> Result<(), SinkError> {
        self.channel = None;
        let mut worst = (fault(&error), error);
        // What has been confirmed by now is. And of several errors the broker's own says most.
        for (number, answer) in std::iter::from_fn(|| self.answers.next().now_or_never().flatten()) {
            match answer {
                Ok(confirmation) => {
                    self.kept.settle(number, confirmation, |exchange| self.names.severity(exchange));
                }
                Err(error) => {
                    if fault(&error) > worst.0 {
                        worst = (fault(&error), error);
                    }
                }
            }
        }
        let (fault, error) = worst;
        match fault {
            Fault::Elsewhere => Ok(()),
            // They are declared again.
            Fault::Missing if self.exchanges == Exchanges::Own => Ok(()),
            Fault::Permission => {
                Err(SinkError(topology::failed("write to the exchanges".to_owned(), &error).into()))
            }
            Fault::Ours | Fault::Missing if number < self.suspects => {
                Err(SinkError(self.kept.refuse(number).map_or_else(
                    || reason(&error).into(),
                    |message| RejectedLog::new(&message, reason(&error)).into(),
                )))
            }
            Fault::Ours | Fault::Missing => {
                self.suspects = self.kept.next();
                Ok(())
            }
        }
    }
}

async fn prepare(
    connection: &Connection,
    names: &Names,
    exchanges: Exchanges,
) -> Result<Channel, TopologyError> {
    if exchanges == Exchanges::Own {
        // The broker may have come back empty.
        declare_exchanges(connection, names).await?;
    }
    open_confirming_channel(connection).await
}

fn mandatory() -> BasicPublishOptions {
    BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() }
}

impl RejectedLog {
    fn new(message: &Message, reason: String) -> Self {
        let Message { id, log, .. } = message;
        let origin = match &log.source {
            Some(source) => format!("{} of {source}", log.severity),
            None => log.severity.to_string(),
        };
        Self { id: id.to_string(), origin, bytes: log.message.len(), reason }
    }
}

impl LogSink for AmqpSink {
    async fn publish(&mut self, id: &MessageId, timestamp: Timestamp, log: &Log) -> Result<(), SinkError> {
        self.kept.keep(Message { id: id.clone(), timestamp, log: log.clone() });
        self.reopen().await?;
        self.send();
        self.take_answers()?;
        while self.kept.is_full() {
            self.wait().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        while self.kept.first().is_some() {
            self.wait().await?;
        }
        Ok(())
    }

    fn receipts(&self) -> Receipts {
        self.kept.receipts()
    }

    fn take_confirmed(&mut self) -> Confirmed {
        self.kept.take_confirmed()
    }
}
