//! Looking after dead letters: reading their queue without taking anything out of it, sending some back,
//! taking some out.
//!
//! A queue may count how often a letter comes back, and drop it when that is too often. One that could be dropped
//! is not given back: it is written anew, behind the others, before it is acknowledged. So that the order stays,
//! all that come after it are as well. Who only looks does so before a letter is shown, because that may take long, and
//! may end in any way.
//!
//! What one holds another does not see, and numbers would mean other letters: so one looks after them at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::{BasicProperties, Channel, Consumer};
use loghost_core::domain::ConsumerName;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::open::{Connection, Fault, GOODBYE, reason};
use crate::consume::activation;
use crate::dead_letters::confirmed_sender::{ConfirmedSender, Undelivered};
use crate::dead_letters::dead_letter::DeadLetter;
use crate::dead_letters::writer::full;
use crate::message::headers;
use crate::message::names::Names;
use crate::topology::declare::{self, TopologyError, open_channel, open_confirming_channel};
use crate::topology::delivery_limit::{self, DeliveryLimit};

/// How many letters the broker sends before it is asked for more, as a rule: what bounds memory.
const ROUND: u32 = 512;

/// The most rounds: each has a channel, of which a connection has only so many.
const MOST_ROUNDS: u32 = 128;

/// How long none may come before the broker is asked whether there are any.
const QUIET: Duration = Duration::from_millis(500);

/// How long others are waited for that look after the same letters.
const OTHERS: Duration = Duration::from_secs(3);

/// Why dead letters cannot be looked after any more. Whatever it is, all that is not confirmed elsewhere is
/// still in the queue.
#[derive(Debug, thiserror::Error)]
pub enum DeadQueueError {
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
pub struct DeadQueue {
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
    purpose: Purpose,
    /// How often its letters may come back.
    limit: DeliveryLimit,
    /// What writes letters anew, once there is one that could be dropped.
    renewal: Option<ConfirmedSender>,
    renewed: u32,
}

/// What they are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// All of them stay.
    Look,
    /// Some are taken out.
    Take,
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
    /// Whether they have been written anew already.
    is_renewed: bool,
}

/// A letter that is to be written anew.
struct Renewal {
    tag: u64,
    body: Vec<u8>,
    properties: BasicProperties,
}

/// How a queue was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many messages are in it.
    pub messages: u32,
    /// How many of them were written anew, because they had come back before.
    pub renewed: u32,
}

impl DeadQueue {
    /// Opens the queue, whose letters may come back as often as `limit` says; none if there is no such queue. Waits a
    /// moment for others to end that look after it.
    pub async fn open(
        connection: &Arc<Connection>,
        names: &Names,
        consumer: &ConsumerName,
        purpose: Purpose,
        limit: DeliveryLimit,
    ) -> Result<Option<Self>, TopologyError> {
        let queue = names.dead_queue(consumer);
        let probe = open_channel(connection).await?;
        if declare::length(&probe, &queue).await?.is_none() {
            return Ok(None);
        }
        lock(connection, &names.dead_lock(consumer), &queue).await?;
        let Some(length) = declare::length(&probe, &queue).await? else { return Ok(None) };
        declare::close(&probe).await;
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
            purpose,
            limit,
            renewal: None,
            renewed: 0,
        }))
    }

    /// The name of the queue.
    pub fn name(&self) -> &str {
        &self.queue
    }

    /// How many messages were in it when it was opened. No more are read: what is rejected again while
    /// others are sent back comes behind them.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// How many have been read.
    pub fn read(&self) -> u32 {
        self.read
    }

    /// The next letter, in the order of the queue; none at the end. Is to be awaited to its end, which is soon: dropped
    /// half-way, it may write letters anew and leave the old ones there.
    pub async fn next(&mut self) -> Result<Option<DeadLetter>, DeadQueueError> {
        if self.waiting.is_empty() && self.read < self.length {
            self.end_round().await?;
            self.begin_round().await?;
        }
        Ok(self.pop())
    }

    /// The next that was delivered.
    fn pop(&mut self) -> Option<DeadLetter> {
        let message = self.waiting.pop_front()?;
        self.read += 1;
        Some(DeadLetter::read(self.read, message, &self.names, &self.queue))
    }

    /// Has the next letters delivered.
    async fn begin_round(&mut self) -> Result<(), DeadQueueError> {
        let round = ROUND.max(self.length.div_ceil(MOST_ROUNDS)).min(u16::MAX.into());
        let wanted = (self.length - self.read).min(round);
        let channel = self.connection.channel().await.map_err(|e| self.lost(&e))?;
        let (left, is_untouched, is_renewed) = (Vec::new(), true, false);
        self.round = Some(Round { channel: channel.clone(), left, is_untouched, is_renewed });
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
        if self.purpose == Purpose::Look && self.must_renew(self.waiting.iter()) {
            let renewals = self.waiting.iter().map(|message| self.renewal_of(message)).collect();
            self.renew(&channel, renewals, true).await?;
            self.round.iter_mut().for_each(|round| round.is_renewed = true);
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
        let left = std::mem::take(&mut round.left);
        let (channel, is_untouched) = (round.channel.clone(), round.is_untouched);
        let is_done = round.is_renewed || !self.must_renew(left.iter());
        self.ended.push(round);
        if is_done {
            return Ok(());
        }
        let renewals = left.iter().map(|message| self.renewal_of(message)).collect();
        self.renew(&channel, renewals, is_untouched).await
    }

    /// Takes a letter out of the queue for good.
    pub fn discard(
        &mut self,
        letter: &DeadLetter,
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
    pub fn leave(&mut self, letter: DeadLetter) {
        self.staying += 1;
        if let Some(round) = self.round.as_mut().filter(|round| !round.is_renewed) {
            round.left.push(letter.message);
        }
    }

    /// So many letters were handed out to be taken out of the queue, and are not: they go back to their places when it is
    /// closed.
    pub fn expect_back(&mut self, letters: u32) {
        self.staying += letters;
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

    /// Whether what stays of a round is to be written anew: some of it could be dropped, or what was before it has been.
    fn must_renew<'a>(&self, mut staying: impl Iterator<Item = &'a Message>) -> bool {
        self.renewal.is_some() || staying.any(|message| self.may_be_dropped(message))
    }

    fn renewal_of(&self, message: &Message) -> Renewal {
        Renewal {
            tag: message.delivery_tag,
            body: message.data.clone(),
            properties: headers::renewed(&message.properties, self.connection.frame_max()),
        }
    }

    /// Writes what stays of a round anew, and takes out what was delivered: whether that is `all` of its channel.
    async fn renew(
        &mut self,
        channel: &Channel,
        staying: Vec<Renewal>,
        all: bool,
    ) -> Result<(), DeadQueueError> {
        let sender = if let Some(sender) = &self.renewal {
            sender.clone()
        } else {
            let channel = open_confirming_channel(&self.connection).await.map_err(|e| self.gone(&e))?;
            let way = ("", self.queue.as_str());
            ConfirmedSender::new(Arc::clone(&self.connection), channel, way, &self.queue, Some(GOODBYE))
        };
        self.renewal = Some(sender.clone());
        let tags: Vec<u64> = staying.iter().map(|renewal| renewal.tag).collect();
        let mut sending: FuturesUnordered<_> = staying
            .into_iter()
            .map(|Renewal { body, properties, .. }| sender.send(body, properties))
            .collect();
        while let Some(sent) = sending.next().await {
            sent.map_err(|undelivered| self.undelivered(undelivered))?;
        }
        self.renewed += u32::try_from(tags.len()).unwrap_or(u32::MAX);
        if all {
            let all = BasicAckOptions { multiple: true };
            return channel.basic_ack(0, all).await.map_err(|e| self.lost(&e));
        }
        for tag in tags {
            let acknowledged = channel.basic_ack(tag, BasicAckOptions::default()).await;
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
    pub async fn close(mut self) -> Result<Left, DeadQueueError> {
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
        // What was never delivered is there as well.
        let expected = self.staying + self.length.saturating_sub(self.read);
        loop {
            let messages = self.count().await?;
            if messages >= expected || Instant::now() >= until {
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
        let length = declare::length(&channel, &self.queue).await.map_err(|e| self.gone(&e))?;
        declare::close(&channel).await;
        length.ok_or_else(|| self.gone(&"it has been deleted"))
    }

    fn gone(&self, reason: &dyn std::fmt::Display) -> DeadQueueError {
        DeadQueueError::Lost { queue: self.queue.clone(), reason: reason.to_string() }
    }

    fn lost(&self, error: &lapin::Error) -> DeadQueueError {
        DeadQueueError::Lost { queue: self.queue.clone(), reason: reason(error) }
    }
}

/// Waits, for a moment, until nobody else looks after the dead letters in `queue`.
async fn lock(connection: &Arc<Connection>, lock: &str, queue: &str) -> Result<(), TopologyError> {
    let until = Instant::now() + OTHERS;
    loop {
        match activation::take_lock(connection, lock).await {
            Ok(true) => return Ok(()),
            Ok(false) if Instant::now() < until => sleep(QUIET).await,
            Ok(false) => {
                return Err(TopologyError::Failed {
                    action: format!("look after the dead letters in `{queue}`"),
                    reason: "another `loghost dead-letters` holds them: wait until it has ended".to_owned(),
                    fault: Fault::Elsewhere,
                });
            }
            Err(error) => return Err(declare::failed(format!("declare the queue `{lock}`"), &error)),
        }
    }
}
