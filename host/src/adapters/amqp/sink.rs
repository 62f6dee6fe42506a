//! Publishing: persistent, `mandatory`, confirmed, with a bounded number of logs in flight.

use std::pin::Pin;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use loghost_core::application::{BoxError, LogSink, Receipts, SinkError};
use loghost_core::domain::{ConsumerName, Log, MessageId, Severity, Timestamp};

use super::connection::{Connection, reason};
use super::names::Names;
use super::topology::{TopologyError, open_confirming_channel};
use super::wire;

/// The most logs, and the most bytes of their texts, that wait for the broker's answer.
const WINDOW: usize = 2048;
const WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// Publishes to the exchanges of a broker.
pub(crate) struct AmqpSink {
    channel: Channel,
    names: Names,
    in_flight: FuturesUnordered<Answer>,
    in_flight_bytes: usize,
    receipts: Receipts,
}

type Answer = Pin<Box<dyn Future<Output = (Severity, usize, lapin::Result<Confirmation>)> + Send>>;

impl AmqpSink {
    /// Opens a channel on `connection`; the exchanges must be there.
    pub(crate) async fn open(connection: &Connection, names: Names) -> Result<Self, TopologyError> {
        let channel = open_confirming_channel(connection).await?;
        let receipts = Receipts::default();
        Ok(Self { channel, names, in_flight: FuturesUnordered::new(), in_flight_bytes: 0, receipts })
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
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirmation = self
            .channel
            .basic_publish("".into(), queue.into(), options, b"", properties)
            .await
            .map_err(|e| lost(reason(&e)))?
            .await
            .map_err(|e| lost(reason(&e)))?;
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            _ => Err(lost(format!("the queue of consumer {consumer} is gone"))),
        }
    }

    /// Takes in one answer.
    fn settle(&mut self, answer: (Severity, usize, lapin::Result<Confirmation>)) -> Result<(), SinkError> {
        let (severity, bytes, confirmation) = answer;
        self.in_flight_bytes -= bytes;
        let returned = match confirmation.map_err(|e| SinkError(reason(&e).into()))? {
            Confirmation::Ack(returned) => {
                self.receipts.confirm(severity);
                returned
            }
            Confirmation::Nack(returned) => {
                self.receipts.refused[severity] += 1;
                returned
            }
            Confirmation::NotRequested => None,
        };
        // lapin hands a returned message to the next confirmation, which need not be its own: its
        // exchange tells what it is.
        if let Some(severity) = returned.and_then(|message| self.names.severity(message.exchange.as_str())) {
            self.receipts.unroutable[severity] += 1;
        }
        Ok(())
    }
}

impl LogSink for AmqpSink {
    async fn publish(&mut self, id: &MessageId, timestamp: Timestamp, log: &Log) -> Result<(), SinkError> {
        let (channel, severity, bytes) = (self.channel.clone(), log.severity, log.message.len());
        let exchange = self.names.exchange(severity).into();
        let (routing_key, properties) = (wire::routing_key(log), wire::properties(id, timestamp, log));
        let body = log.message.clone().into_bytes();
        self.in_flight.push(Box::pin(async move {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let published = channel.basic_publish(exchange, routing_key, options, &body, properties).await;
            // The client has its own copy by now.
            drop(body);
            let confirmation = match published {
                Ok(confirm) => confirm.await,
                Err(error) => Err(error),
            };
            (severity, bytes, confirmation)
        }));
        self.in_flight_bytes += bytes;
        // Starts what was pushed, and takes the answers that are there.
        while let Some(Some(answer)) = self.in_flight.next().now_or_never() {
            self.settle(answer)?;
        }
        while self.in_flight.len() >= WINDOW || self.in_flight_bytes > WINDOW_BYTES {
            let Some(answer) = self.in_flight.next().await else { break };
            self.settle(answer)?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        while let Some(answer) = self.in_flight.next().await {
            self.settle(answer)?;
        }
        Ok(())
    }

    fn receipts(&self) -> Receipts {
        self.receipts
    }
}
