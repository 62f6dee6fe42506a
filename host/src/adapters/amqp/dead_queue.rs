//! Looking after dead letters: reading their queue without taking anything out of it, sending some back,
//! taking some out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use loghost_core::domain::ConsumerName;
use tokio::time::timeout;

use super::connection::{Connection, GOODBYE, reason};
use super::courier::{Courier, Undelivered};
use super::dead_letters::full;
use super::letter::Letter;
use super::names::Names;
use super::topology::{self, TopologyError, failed, open_channel, open_confirming_channel};

/// How many letters the broker sends before it is asked for more: what bounds memory.
const ROUND: u16 = 256;

/// How long none may come before the broker is asked whether there are any.
const QUIET: Duration = Duration::from_millis(500);

/// Why dead letters cannot be looked after any more. Whatever it is, all that is not confirmed elsewhere is
/// still in the queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeadQueueError {
    /// The connection is gone, or the queue.
    #[error("lost the broker, or the queue `{queue}`: {reason}")]
    Lost {
        /// The queue of dead letters.
        queue: String,
        /// What the broker or the client said.
        reason: String,
    },
    /// The consumer's queue did not take a letter.
    #[error("the queue `{queue}` did not take a dead letter back: {reason}")]
    NotTaken {
        /// The consumer's queue.
        queue: String,
        /// What the broker said.
        reason: String,
    },
    /// The consumer's queue has been full for too long.
    #[error("{0}")]
    Full(String),
}

/// The queue of a consumer's dead letters, as it was when it was opened. What is read stays in it, and
/// returns to its place when this is closed, or the connection ends.
pub(crate) struct DeadQueue {
    channel: Channel,
    queue: String,
    names: Names,
    length: u32,
    read: u32,
    round: Option<Consumer>,
    /// How many more letters are taken of this round.
    credit: u16,
    /// Letters of former rounds that have not been read.
    waiting: VecDeque<Message>,
}

impl DeadQueue {
    /// Opens the queue; none if there is no such queue.
    pub(crate) async fn open(
        connection: &Connection,
        names: &Names,
        consumer: &ConsumerName,
    ) -> Result<Option<Self>, TopologyError> {
        let queue = names.dead_queue(consumer);
        let channel = open_channel(connection).await?;
        let Some(length) = topology::length(&channel, &queue).await? else { return Ok(None) };
        let options = BasicQosOptions::default();
        channel
            .basic_qos(ROUND, options)
            .await
            .map_err(|e| failed(format!("consume the queue `{queue}`"), &e))?;
        Ok(Some(Self {
            channel,
            queue,
            names: names.clone(),
            length,
            read: 0,
            round: None,
            credit: 0,
            waiting: VecDeque::new(),
        }))
    }

    /// The name of the queue.
    pub(crate) fn name(&self) -> &str {
        &self.queue
    }

    /// How many messages were in it when it was opened. No more are read: what is rejected again while
    /// others are sent back comes behind them.
    pub(crate) fn len(&self) -> u32 {
        self.length
    }

    /// How many have been read.
    pub(crate) fn read(&self) -> u32 {
        self.read
    }

    /// The next letter, in the order of the queue; none at the end. Must not be called again after it was
    /// dropped half-way.
    pub(crate) async fn next(&mut self) -> Result<Option<Letter>, DeadQueueError> {
        while self.read < self.length {
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None if self.credit == 0 => {
                    self.begin_round().await?;
                    continue;
                }
                None => match self.receive().await? {
                    Some(message) => message,
                    // Somebody else may have taken the others.
                    None if self.count().await? == 0 => return Ok(None),
                    None => continue,
                },
            };
            self.read += 1;
            return Ok(Some(Letter::read(self.read, message, &self.names)));
        }
        Ok(None)
    }

    /// The next of this round; none if it does not come for a while.
    async fn receive(&mut self) -> Result<Option<Message>, DeadQueueError> {
        let ended = |queue: &str| DeadQueueError::Lost {
            queue: queue.to_owned(),
            reason: "the broker ended the delivery".to_owned(),
        };
        let round = self.round.as_mut().ok_or_else(|| ended(&self.queue))?;
        let next = match round.next().now_or_never() {
            Some(next) => next,
            None => match timeout(QUIET, round.next()).await {
                Ok(next) => next,
                Err(_) => return Ok(None),
            },
        };
        let message = next.ok_or_else(|| ended(&self.queue))?.map_err(|e| self.lost(&e))?;
        self.credit -= 1;
        Ok(Some(message))
    }

    /// A prefetch bounds what a consumer gets and does not acknowledge, so the next letters go to the next
    /// consumer, on the same channel: what the last one got stays held.
    async fn begin_round(&mut self) -> Result<(), DeadQueueError> {
        self.end_round().await?;
        let (queue, tag) = (ShortString::from(self.queue.as_str()), ShortString::default());
        let options = BasicConsumeOptions::default();
        let consuming = self.channel.basic_consume(queue, tag, options, FieldTable::default());
        self.round = Some(consuming.await.map_err(|e| self.lost(&e))?);
        self.credit = ROUND;
        Ok(())
    }

    async fn end_round(&mut self) -> Result<(), DeadQueueError> {
        let Some(mut round) = self.round.take() else { return Ok(()) };
        let cancelling = self.channel.basic_cancel(round.tag(), BasicCancelOptions::default());
        cancelling.await.map_err(|e| self.lost(&e))?;
        // What is taken out of the queue makes room for more.
        while let Some(Some(Ok(message))) = round.next().now_or_never() {
            self.waiting.push_back(message);
        }
        Ok(())
    }

    /// Takes a letter out of the queue for good.
    pub(crate) fn discard(
        &self,
        letter: &Letter,
    ) -> impl Future<Output = Result<(), DeadQueueError>> + Send + use<> {
        let (channel, queue, tag) = (self.channel.clone(), self.queue.clone(), letter.message.delivery_tag);
        async move {
            let acknowledged = channel.basic_ack(tag, BasicAckOptions::default()).await;
            acknowledged.map_err(|e| DeadQueueError::Lost { queue, reason: reason(&e) })
        }
    }

    /// Gives back what was read and not taken out; says how many messages the queue has then. `connection` is
    /// the one that it was opened on.
    pub(crate) async fn close(mut self, connection: &Connection) -> Result<u32, DeadQueueError> {
        self.end_round().await?;
        // Not left to the end of the channel, which some queues count as a failed delivery.
        let all = BasicNackOptions { multiple: true, requeue: true };
        self.channel.basic_nack(0, all).await.map_err(|e| self.lost(&e))?;
        // A count may overtake what is given back, but not the answer to this.
        let _ = timeout(GOODBYE, self.channel.close(200, "done".into())).await;
        self.channel = connection.channel().await.map_err(|e| self.lost(&e))?;
        self.count().await
    }

    async fn count(&self) -> Result<u32, DeadQueueError> {
        let gone = |reason: String| DeadQueueError::Lost { queue: self.queue.clone(), reason };
        let length = topology::length(&self.channel, &self.queue).await.map_err(|e| gone(e.to_string()))?;
        length.ok_or_else(|| gone("it has been deleted".to_owned()))
    }

    fn lost(&self, error: &lapin::Error) -> DeadQueueError {
        DeadQueueError::Lost { queue: self.queue.clone(), reason: reason(error) }
    }
}

/// The way back from the dead letters: straight into the consumer's queue, so that nobody else sees them
/// again.
pub(crate) struct Replay {
    courier: Courier,
    queue: String,
    frame_max: usize,
}

impl Replay {
    /// Opens the way, on a connection for publishing; none if the consumer has no queue. While that is full, it is
    /// waited for as long as `patience`, or for ever.
    pub(crate) async fn open(
        publishing: &Arc<Connection>,
        names: &Names,
        consumer: &ConsumerName,
        patience: Option<Duration>,
    ) -> Result<Option<Self>, TopologyError> {
        let queue = names.queue(consumer);
        let probe = open_channel(publishing).await?;
        if topology::length(&probe, &queue).await?.is_none() {
            return Ok(None);
        }
        let channel = open_confirming_channel(publishing).await?;
        let courier = Courier::new(Arc::clone(publishing), channel, ("", &queue), &queue, patience);
        Ok(Some(Self { courier, queue, frame_max: publishing.frame_max() }))
    }

    /// Sends a letter of `dead` back; when the broker has it in the consumer's queue (if that is full, when there
    /// is room), it is taken out of the other. Any number may be under way, in one `FuturesUnordered` (see [`Courier::send`]).
    pub(crate) fn send(
        &self,
        dead: &DeadQueue,
        letter: Letter,
    ) -> impl Future<Output = Result<(), DeadQueueError>> + Send + use<> {
        let (queue, discard) = (self.queue.clone(), dead.discard(&letter));
        let properties = letter.replay_properties(self.frame_max);
        let sending = self.courier.send(letter.message.data, properties);
        async move {
            match sending.await {
                Ok(()) => discard.await,
                Err(Undelivered::Lost(reason)) => Err(DeadQueueError::Lost { queue, reason }),
                Err(Undelivered::Refused(reason)) => Err(DeadQueueError::NotTaken { queue, reason }),
                Err(Undelivered::Full(patience)) => Err(DeadQueueError::Full(full(&queue, patience))),
            }
        }
    }
}
