//! Consuming: one channel, one queue, manual acknowledgements, deliveries taken in bursts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use loghost_core::application::{
    Clock, DeadLettering, Delivery, Item, LogSource, Reads, Receipt, Rejection, SourceError, Standing,
};
use loghost_core::domain::{Descriptor, Filter, Timestamp};
use tokio::time::sleep;

use super::connection::{Connection, Ended, lost};
use super::dead_letters::{DeadLetters, Unfinished};
use super::link::Link;
use super::names::Names;
use super::topology::{self, Exchanges, QueueKind, TopologyError, failed, open_channel};
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
    /// Whose exchanges they come from.
    pub(crate) exchanges: Exchanges,
    /// The token of the marker that ends a scenario.
    pub(crate) marker: Option<String>,
}

/// How often a host that stands by looks whether it is the only one left.
const STANDBY: Duration = Duration::from_secs(2);

/// One consumer's queue.
pub(crate) struct AmqpSource<K> {
    connection: Arc<Connection>,
    channel: Channel,
    consumer: Consumer,
    standing: Standing,
    queue: String,
    names: Names,
    options: SourceOptions,
    /// Which part of the messages comes, and which part of that is looked at.
    reads: Reads,
    decode: Decode,
    clock: K,
    /// Whether the last burst was a large one.
    busy: bool,
    /// Why there will be no more, if something arrived before that.
    ended: Option<SourceError>,
    dead_letters: Option<DeadLetters>,
}

impl SourceOptions {
    /// An exclusive queue is a copy: what is rejected from it goes with it.
    pub(super) fn has_dead_letters(&self, reads: Reads) -> bool {
        reads == Reads::Logs && self.queue == QueueKind::Named
    }
}

impl<K: Clock> AmqpSource<K> {
    /// Declares the consumer's queue on `connection` and begins to consume; dead letters go out
    /// through `publishing`.
    pub(super) async fn open(
        connection: &Arc<Connection>,
        publishing: Arc<Link>,
        names: Names,
        (descriptor, reads, former): (&Descriptor, Reads, Option<&Filter>),
        options: SourceOptions,
        clock: K,
    ) -> Result<Self, TopologyError> {
        let channel = open_channel(connection).await?;
        let opened = Self::consume(
            connection,
            &channel,
            publishing,
            names,
            (descriptor, reads, former),
            options,
            clock,
        );
        let opened = opened.await;
        if opened.is_err() {
            topology::close(&channel).await;
        }
        opened
    }

    async fn consume(
        connection: &Arc<Connection>,
        channel: &Channel,
        publishing: Arc<Link>,
        names: Names,
        (descriptor, reads, former): (&Descriptor, Reads, Option<&Filter>),
        options: SourceOptions,
        clock: K,
    ) -> Result<Self, TopologyError> {
        let queue =
            topology::queue(channel, &names, &descriptor.name, options.queue, &descriptor.filter, former)
                .await?;
        let dead_letters = if options.has_dead_letters(reads) {
            Some(DeadLetters::open(&publishing, &names, &descriptor.name).await?)
        } else {
            None
        };
        if reads == Reads::Counts {
            connection.leave_out_bodies(channel);
        }
        let cannot = |e: lapin::Error| failed(format!("consume the queue `{}`", queue.name), &e);
        let (consume, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let ((), consumer) = try_join(
            channel.basic_qos(options.prefetch, BasicQosOptions::default()),
            channel.basic_consume(queue.name.as_str().into(), "".into(), consume, none),
        )
        .await
        .map_err(cannot)?;
        Ok(Self {
            connection: Arc::clone(connection),
            channel: channel.clone(),
            consumer,
            standing: if queue.consumers > 0 { Standing::StandingBy } else { Standing::Active },
            queue: queue.name,
            names,
            options,
            reads,
            decode: decode(descriptor, reads),
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

    fn read(&mut self, message: Message, now: Timestamp) -> Delivery {
        let receipt = Receipt(message.delivery_tag);
        let item = match wire::record(&message, &self.names, now, self.decode) {
            Some(record) => Item::Log(record),
            None if self.is_marker(&message) => Item::Marker,
            None => Item::Foreign(how_it_came(&message)),
        };
        if let Some(dead_letters) = &mut self.dead_letters {
            dead_letters.keep(Unfinished::new(receipt, message));
        }
        Delivery { receipt, item }
    }

    fn is_marker(&self, message: &Message) -> bool {
        let id = message.properties.message_id().as_ref().map(ShortString::as_str);
        let kind = message.properties.kind().as_ref().map(ShortString::as_str);
        let marker = self.options.marker.as_deref();
        marker.is_some() && id == marker && kind == Some(wire::MARKER_TYPE)
    }

    fn end(&self, error: Option<lapin::Error>) -> SourceError {
        match error {
            Some(error) => lost(&error),
            None if !self.channel.status().connected() => SourceError::Lost("the channel is closed".into()),
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
        let ready = self.consumer.next().now_or_never();
        let mut next = if let Some(next) = ready {
            next
        } else {
            tokio::select! {
                biased;
                next = self.consumer.next() => next,
                alone = alone(&self.channel, &self.queue), if self.standing == Standing::StandingBy => {
                    alone?;
                    self.standing = Standing::Active;
                    return Ok(());
                }
                () = self.connection.end() => return Err(Ended.into()),
            }
        };
        let (now, mut taken) = (self.clock.now(), 0);
        loop {
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return self.stop(taken, Some(error)),
                None => return self.stop(taken, None),
            };
            self.standing = Standing::Active;
            burst.push(self.read(message, now));
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

    fn dead_lettering(&self) -> DeadLettering {
        match self.options.queue {
            QueueKind::Exclusive => DeadLettering::None,
            QueueKind::Named if self.dead_letters.is_some() => DeadLettering::Ready,
            QueueKind::Named => DeadLettering::Unread,
        }
    }

    fn standing(&self) -> Standing {
        self.standing
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

    fn bury(
        &mut self,
        receipt: Receipt,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<K> {
        let burying = self.dead_letters.as_mut().map(|dead_letters| dead_letters.bury(receipt, rejection));
        async move {
            match burying {
                Some(burying) => burying.await,
                None => Ok(()),
            }
        }
    }

    async fn adjust(
        &mut self,
        descriptor: &Descriptor,
        reads: Reads,
        former: Option<&Filter>,
    ) -> Result<(), SourceError> {
        if reads == Reads::Logs && self.reads == Reads::Counts {
            return Err(SourceError::Unread);
        }
        let rebinding = topology::rebind(&self.channel, &self.names, &self.queue, &descriptor.filter, former);
        self.connection.answer(rebinding).await?;
        self.decode = decode(descriptor, reads);
        Ok(())
    }

    async fn close(&mut self) {
        topology::close(&self.channel).await;
        if let Some(dead_letters) = self.dead_letters.take() {
            dead_letters.close().await;
        }
    }
}

/// How a message came that was not published as a log.
fn how_it_came(message: &Message) -> String {
    match message.exchange.as_str() {
        "" => "it was published directly to the queue".to_owned(),
        exchange => format!("it came through the exchange `{exchange}`, which is no severity's"),
    }
}

/// What of a log somebody will look at.
fn decode(descriptor: &Descriptor, reads: Reads) -> Decode {
    let message = reads == Reads::Logs;
    Decode { message, attributes: message && descriptor.fields.attributes }
}

impl<K: Clock> AmqpSource<K> {
    async fn ack(&self, Receipt(tag): Receipt, options: BasicAckOptions) -> Result<(), SourceError> {
        let acknowledging = self.channel.basic_ack(tag, options).map(|done| done.map_err(|e| lost(&e)));
        self.connection.answer(acknowledging).await
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

/// Waits until no other host consumes the queue.
async fn alone(channel: &Channel, queue: &str) -> Result<(), SourceError> {
    loop {
        sleep(STANDBY).await;
        if topology::consumers(channel, queue).await.map_err(|e| lost(&e))? <= 1 {
            return Ok(());
        }
    }
}
