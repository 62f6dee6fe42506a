//! Looking after dead letters: reading their queue without taking anything out of it, sending some back,
//! taking some out.
//!
//! A queue may count how often a letter comes back, and drop it when that is too often. One that could be dropped
//! is not given back: it is written anew, behind the others, before it is acknowledged. So that the order stays,
//! all that come after it are as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::{Channel, Consumer};
use loghost_core::domain::ConsumerName;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Connection, GOODBYE, reason};
use super::courier::{Courier, Undelivered};
use super::dead_letters::full;
use super::delivery_limit::{self, DeliveryLimit};
use super::headers;
use super::letter::Letter;
use super::names::Names;
use super::topology::{self, TopologyError, open_channel, open_confirming_channel};

/// How many letters the broker sends before it is asked for more, as a rule: what bounds memory.
const ROUND: u32 = 512;

/// The most rounds: each has a channel, of which a connection has only so many.
const MOST_ROUNDS: u32 = 128;

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
/// returns to its place when this is closed.
pub(crate) struct DeadQueue {
    connection: Arc<Connection>,
    queue: String,
    names: Names,
    length: u32,
    read: u32,
    /// How many of those stay.
    staying: u32,
    /// Those that have ended, and hold what was read in them.
    ended: Vec<Round>,
    round: Option<Round>,
    /// What was delivered in this round, and has not been read.
    waiting: VecDeque<Message>,
    /// How often its letters may come back.
    limit: DeliveryLimit,
    /// What writes letters anew, once there is one that could be dropped.
    renewal: Option<Courier>,
    renewed: u32,
}

/// Some letters, on a channel of their own: a queue that has to take many answers of one channel at once may not have
/// taken them all when the channel closes. They are delivered all before anything is done with any: a consumer whose
/// letters are acknowledged gets more, and what is on its way to it when it is cancelled goes back before the others.
struct Round {
    channel: Channel,
    /// What stays in the queue.
    left: Vec<Message>,
    /// Whether all of its letters stay.
    is_untouched: bool,
}

/// How a queue was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// How many messages are in it.
    pub(crate) messages: u32,
    /// How many of them were written anew, because they had come back before.
    pub(crate) renewed: u32,
}

impl DeadQueue {
    /// Opens the queue, whose letters may come back as often as `limit` says; none if there is no such queue.
    pub(crate) async fn open(
        connection: &Arc<Connection>,
        names: &Names,
        consumer: &ConsumerName,
        limit: DeliveryLimit,
    ) -> Result<Option<Self>, TopologyError> {
        let queue = names.dead_queue(consumer);
        let probe = open_channel(connection).await?;
        let Some(length) = topology::length(&probe, &queue).await? else { return Ok(None) };
        topology::close(&probe).await;
        Ok(Some(Self {
            connection: Arc::clone(connection),
            queue,
            names: names.clone(),
            length,
            read: 0,
            staying: 0,
            ended: Vec::new(),
            round: None,
            waiting: VecDeque::new(),
            limit,
            renewal: None,
            renewed: 0,
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
        if self.waiting.is_empty() && self.read < self.length {
            self.end_round().await?;
            self.begin_round().await?;
        }
        Ok(self.pop())
    }

    /// The next that was delivered.
    fn pop(&mut self) -> Option<Letter> {
        let message = self.waiting.pop_front()?;
        self.read += 1;
        Some(Letter::read(self.read, message, &self.names, &self.queue))
    }

    /// Has the next letters delivered.
    async fn begin_round(&mut self) -> Result<(), DeadQueueError> {
        let round = ROUND.max(self.length.div_ceil(MOST_ROUNDS)).min(u16::MAX.into());
        let wanted = (self.length - self.read).min(round);
        let channel = self.connection.channel().await.map_err(|e| self.lost(&e))?;
        self.round = Some(Round { channel: channel.clone(), left: Vec::new(), is_untouched: true });
        let prefetch = u16::try_from(wanted).unwrap_or(u16::MAX);
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(|e| self.lost(&e))?;
        let mut consumer = self.connection.consume(&channel, &self.queue).await.map_err(|e| self.lost(&e))?;
        for _ in 0..wanted {
            match self.receive(&mut consumer).await? {
                Some(message) => self.waiting.push_back(message),
                None => break,
            }
        }
        self.connection.cancel(&channel, &consumer).await.map_err(|e| self.lost(&e))?;
        while let Some(Some(Ok(message))) = consumer.next().now_or_never() {
            self.waiting.push_back(message);
        }
        Ok(())
    }

    /// The next of a round; none if there are no more, because somebody else has taken them.
    async fn receive(&self, consumer: &mut Consumer) -> Result<Option<Message>, DeadQueueError> {
        loop {
            match timeout(QUIET, consumer.next()).await {
                Ok(Some(message)) => return message.map(Some).map_err(|e| self.lost(&e)),
                Ok(None) => return Err(self.gone(&"the broker ended the delivery")),
                Err(_) if self.count().await? == 0 => return Ok(None),
                Err(_) => {}
            }
        }
    }

    /// Ends a round: all that came stays held, unless it has to be written anew.
    async fn end_round(&mut self) -> Result<(), DeadQueueError> {
        let Some(mut round) = self.round.take() else { return Ok(()) };
        let renewed = self.renew(&mut round).await;
        self.ended.push(round);
        renewed
    }

    /// Takes a letter out of the queue for good.
    pub(crate) fn discard(
        &mut self,
        letter: &Letter,
    ) -> impl Future<Output = Result<(), DeadQueueError>> + Send + use<> {
        let (queue, tag) = (self.queue.clone(), letter.message.delivery_tag);
        let channel = self.round.as_mut().map(|round| {
            round.is_untouched = false;
            round.channel.clone()
        });
        async move {
            let Some(channel) = channel else {
                return Err(DeadQueueError::Lost { queue, reason: "it is no longer held".to_owned() });
            };
            let acknowledged = channel.basic_ack(tag, BasicAckOptions::default()).await;
            acknowledged.map_err(|e| DeadQueueError::Lost { queue, reason: reason(&e) })
        }
    }

    /// Leaves the letter that was read last in the queue. It goes back to its place when the queue is closed, unless it
    /// could be dropped by that.
    pub(crate) fn leave(&mut self, letter: Letter) {
        self.staying += 1;
        if let Some(round) = &mut self.round {
            round.left.push(letter.message);
        }
    }

    /// Whether the broker may drop the message when it comes back once more.
    fn may_be_dropped(&self, message: &Message) -> bool {
        let returns = delivery_limit::returns(&message.properties);
        match self.limit {
            DeliveryLimit::None => false,
            DeliveryLimit::At(limit, _) => returns >= limit.into(),
            // There is none of zero, or nobody could read the queue.
            DeliveryLimit::Unsaid => returns > 0,
        }
    }

    /// Writes what stays of a round anew, if some of it could be dropped, or what was before it has been.
    async fn renew(&mut self, round: &mut Round) -> Result<(), DeadQueueError> {
        let left = std::mem::take(&mut round.left);
        if self.renewal.is_none() && !left.iter().any(|message| self.may_be_dropped(message)) {
            return Ok(());
        }
        let courier = if let Some(courier) = &self.renewal {
            courier.clone()
        } else {
            let channel = open_confirming_channel(&self.connection).await.map_err(|e| self.gone(&e))?;
            let way = ("", self.queue.as_str());
            Courier::new(Arc::clone(&self.connection), channel, way, &self.queue, Some(GOODBYE))
        };
        self.renewal = Some(courier.clone());
        let tags: Vec<u64> = left.iter().map(|message| message.delivery_tag).collect();
        let mut sending: FuturesUnordered<_> = left
            .into_iter()
            .map(|message| {
                let properties = headers::renewed(&message.properties, self.connection.frame_max());
                courier.send(message.data, properties)
            })
            .collect();
        while let Some(sent) = sending.next().await {
            sent.map_err(|undelivered| self.undelivered(undelivered))?;
        }
        self.renewed += u32::try_from(tags.len()).unwrap_or(u32::MAX);
        if round.is_untouched {
            let all = BasicAckOptions { multiple: true };
            return round.channel.basic_ack(0, all).await.map_err(|e| self.lost(&e));
        }
        for tag in tags {
            let acknowledged = round.channel.basic_ack(tag, BasicAckOptions::default()).await;
            acknowledged.map_err(|e| self.lost(&e))?;
        }
        Ok(())
    }

    fn undelivered(&self, undelivered: Undelivered) -> DeadQueueError {
        let queue = self.queue.clone();
        match undelivered {
            Undelivered::Lost(reason) => DeadQueueError::Lost { queue, reason },
            Undelivered::Refused(reason) => DeadQueueError::NotTaken { queue, reason },
            Undelivered::Full(patience) => DeadQueueError::Full(full(&queue, patience)),
        }
    }

    /// Gives back what was read, or merely delivered, and not taken out; says how the queue is then.
    pub(crate) async fn close(mut self) -> Result<Left, DeadQueueError> {
        let left = self.leave_all().await;
        // In the order of the queue.
        for round in self.ended.drain(..).chain(self.round.take()) {
            self.connection.give_back(&round.channel).await;
        }
        left?;
        Ok(Left { messages: self.settled_count().await?, renewed: self.renewed })
    }

    /// How many messages are in it when all that stays is there again, which takes a quorum queue a moment; or
    /// somebody else has taken some.
    async fn settled_count(&self) -> Result<u32, DeadQueueError> {
        let until = Instant::now() + GOODBYE;
        loop {
            let messages = self.count().await?;
            if messages >= self.staying || Instant::now() >= until {
                return Ok(messages);
            }
            sleep(QUIET / 20).await;
        }
    }

    async fn leave_all(&mut self) -> Result<(), DeadQueueError> {
        loop {
            // What was delivered is held as what was read is.
            while let Some(letter) = self.pop() {
                self.leave(letter);
            }
            self.end_round().await?;
            // Behind what is written anew, all is: otherwise the order would change.
            if self.renewal.is_none() {
                return Ok(());
            }
            match self.next().await? {
                Some(letter) => self.leave(letter),
                None => return Ok(()),
            }
        }
    }

    /// How many messages are in it that nobody holds.
    async fn count(&self) -> Result<u32, DeadQueueError> {
        let channel = self.connection.channel().await.map_err(|e| self.lost(&e))?;
        let length = topology::length(&channel, &self.queue).await.map_err(|e| self.gone(&e))?;
        topology::close(&channel).await;
        length.ok_or_else(|| self.gone(&"it has been deleted"))
    }

    fn gone(&self, reason: &dyn std::fmt::Display) -> DeadQueueError {
        DeadQueueError::Lost { queue: self.queue.clone(), reason: reason.to_string() }
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
        dead: &mut DeadQueue,
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
