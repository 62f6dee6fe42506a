//! Consuming: one channel, one queue, manual acknowledgements, deliveries taken in bursts.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use loghost_core::application::{Clock, Delivery, Item, LogSource, Receipt, Rejection, SourceError};
use loghost_core::domain::Descriptor;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, GOODBYE, lost};
use super::dead_letters::{DeadLetters, Unfinished};
use super::names::Names;
use super::topology::{self, QueueKind, TopologyError, failed, open_channel};
use super::wire::{self, Decode};

/// After a burst of at least this many, the next is let gather for a moment instead of being taken one
/// by one: waiting on the client's stream contends with the thread that fills it.
const BURST: usize = 64;
const GATHER: Duration = Duration::from_micros(500);

/// How a consumer is fed.
#[derive(Clone, Debug)]
pub(crate) struct SourceOptions {
    /// Which queue it has.
    pub(crate) queue: QueueKind,
    /// How many deliveries may wait for their acknowledgement.
    pub(crate) prefetch: u16,
    /// Whether it will look at the logs themselves.
    pub(crate) reads_logs: bool,
    /// The token of the marker that ends a scenario.
    pub(crate) marker: Option<String>,
}

/// One consumer's queue.
pub(crate) struct AmqpSource<K> {
    channel: Channel,
    consumer: Consumer,
    queue: String,
    names: Names,
    decode: Decode,
    marker: Option<String>,
    clock: K,
    /// Whether the last burst was a large one.
    busy: bool,
    /// Why there will be no more, if something arrived before that.
    ended: Option<SourceError>,
    dead_letters: Option<DeadLetters>,
}

/// Declares the consumer's queue with its bindings, and where its dead letters go; returns the queue's name.
pub(crate) async fn declare(
    connection: &Connection,
    names: &Names,
    descriptor: &Descriptor,
    options: &SourceOptions,
) -> Result<String, TopologyError> {
    let channel = open_channel(connection).await?;
    if options.has_dead_letters() {
        topology::dead_letters(&channel, names, &descriptor.name).await?;
    }
    topology::queue(&channel, names, &descriptor.name, options.queue, &descriptor.filter).await
}

impl SourceOptions {
    /// An exclusive queue is a copy: what is rejected from it goes with it.
    fn has_dead_letters(&self) -> bool {
        self.reads_logs && self.queue == QueueKind::Named
    }
}

impl<K: Clock> AmqpSource<K> {
    /// Declares the consumer's queue on `connection` and begins to consume; dead letters go out
    /// through `publishing`.
    pub(crate) async fn open(
        connection: &Connection,
        publishing: &Connection,
        names: Names,
        descriptor: &Descriptor,
        options: SourceOptions,
        clock: K,
    ) -> Result<Self, TopologyError> {
        let channel = open_channel(connection).await?;
        let queue =
            topology::queue(&channel, &names, &descriptor.name, options.queue, &descriptor.filter).await?;
        let dead_letters = if options.has_dead_letters() {
            Some(DeadLetters::open(publishing, &names, &descriptor.name).await?)
        } else {
            None
        };
        let cannot = |e: lapin::Error| failed(format!("consume the queue `{queue}`"), &e);
        channel.basic_qos(options.prefetch, BasicQosOptions::default()).await.map_err(cannot)?;
        let consumer = channel
            .basic_consume(
                queue.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(cannot)?;
        let decode = Decode {
            message: options.reads_logs,
            attributes: options.reads_logs && descriptor.fields.attributes,
        };
        let marker = options.marker;
        Ok(Self {
            channel,
            consumer,
            queue,
            names,
            decode,
            marker,
            clock,
            busy: false,
            ended: None,
            dead_letters,
        })
    }

    /// The name of the queue.
    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }

    fn read(&mut self, mut message: Message) -> Delivery {
        let receipt = Receipt(message.delivery_tag);
        let exchange = message.exchange.as_str();
        let item = match self.names.severity(exchange) {
            Some(severity) => Item::Log(wire::record(&mut message, severity, self.clock.now(), self.decode)),
            None if self.is_marker(&message) => Item::Marker,
            None => Item::Stray(exchange.to_owned()),
        };
        if let Some(dead_letters) = &mut self.dead_letters {
            dead_letters.keep(Unfinished::new(receipt, message));
        }
        Delivery { receipt, item }
    }

    fn is_marker(&self, message: &Message) -> bool {
        let id = message.properties.message_id().as_ref().map(ShortString::as_str);
        let kind = message.properties.kind().as_ref().map(ShortString::as_str);
        self.marker.is_some() && id == self.marker.as_deref() && kind == Some(wire::MARKER_TYPE)
    }

    fn end(&self, error: Option<lapin::Error>) -> SourceError {
        match error {
            Some(error) => lost(&error),
            None => SourceError::Cancelled { queue: self.queue.clone() },
        }
    }
}

impl<K: Clock> LogSource for AmqpSource<K> {
    async fn receive(&mut self, burst: &mut Vec<Delivery>, max: usize) -> Result<(), SourceError> {
        if let Some(ended) = self.ended.take() {
            return Err(ended);
        }
        if std::mem::take(&mut self.busy) {
            sleep(GATHER).await;
        }
        let mut next = match self.consumer.next().now_or_never() {
            Some(next) => next,
            None => self.consumer.next().await,
        };
        let mut taken = 0;
        loop {
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return self.stop(taken, Some(error)),
                None => return self.stop(taken, None),
            };
            burst.push(self.read(message));
            taken += 1;
            if taken == max {
                break;
            }
            match self.consumer.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        self.busy = taken >= BURST && taken < max;
        Ok(())
    }

    async fn acknowledge_through(&mut self, receipt: Receipt) -> Result<(), SourceError> {
        if let Some(dead_letters) = &mut self.dead_letters {
            dead_letters.forget_through(receipt);
        }
        self.ack(receipt, BasicAckOptions { multiple: true }).await
    }

    async fn acknowledge(&mut self, receipt: Receipt) -> Result<(), SourceError> {
        if let Some(dead_letters) = &mut self.dead_letters {
            dead_letters.forget(receipt);
        }
        self.ack(receipt, BasicAckOptions { multiple: false }).await
    }

    async fn close(&mut self) {
        // What a broker does not hear it finds out.
        let _ = timeout(GOODBYE, self.channel.close(200, ShortString::from("done"))).await;
    }

    async fn bury(&mut self, receipt: Receipt, rejection: &Rejection) -> Result<(), SourceError> {
        match &mut self.dead_letters {
            Some(dead_letters) => dead_letters.bury(receipt, rejection).await,
            None => Ok(()),
        }
    }
}

impl<K: Clock> AmqpSource<K> {
    async fn ack(&self, Receipt(tag): Receipt, options: BasicAckOptions) -> Result<(), SourceError> {
        self.channel.basic_ack(tag, options).await.map_err(|e| lost(&e))
    }

    /// Ends the source: at once, or after what was `taken` before has been dealt with.
    fn stop(&mut self, taken: usize, error: Option<lapin::Error>) -> Result<(), SourceError> {
        let ended = self.end(error);
        if taken == 0 {
            return Err(ended);
        }
        self.ended = Some(ended);
        Ok(())
    }
}
