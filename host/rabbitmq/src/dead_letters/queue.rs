//! Reading a queue of dead letters, from which only those are taken that are replayed or purged.
//!
//! One command at a time holds a lock: what is delivered to one is not delivered to another, which would number the dead
//! letters differently.

mod renewal;
mod round;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::message::Delivery as Message;
use loghost_core::application::{DeadLetterQueue, FoundMessage};
use loghost_core::domain::ConsumerName;
use tokio::time::{Instant, sleep, timeout};

use self::round::Round;
use crate::connection::fault::Fault;
use crate::connection::open::{CLOSE_TIMEOUT, Connection};
use crate::consume::activation;
use crate::dead_letters::confirmed_sender::ConfirmedSender;
use crate::dead_letters::dead_letter::DeadLetter;
use crate::dead_letters::error::DeadQueueError;
use crate::message::names::Names;
use crate::topology::channel::{close, open_channel};
use crate::topology::delivery_limit::DeliveryLimit;
use crate::topology::error::{TopologyError, failed};
use crate::topology::look::length;

/// How long the lock is waited for while another command holds it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// The time between two attempts to take the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(500);

/// The time between two looks at how many messages are in the queue.
const COUNT_INTERVAL: Duration = Duration::from_millis(25);

/// The queue of a consumer's dead letters, as it was when it was opened. What is read stays in it, and returns to its
/// position when this is closed, unless it is replayed or purged.
pub struct DeadQueue {
    connection: Arc<Connection>,
    queue: String,
    names: Names,
    length: u32,
    read: u32,
    /// How many of those stay.
    staying: u32,
    /// The rounds that have ended, which hold what was delivered in them.
    ended: Vec<Round>,
    round: Option<Round>,
    /// What was delivered in this round, and has not been read.
    delivered: VecDeque<Message>,
    purpose: Purpose,
    /// How often a dead letter may be returned.
    limit: DeliveryLimit,
    /// Publishes dead letters again, once there is one that could be dropped.
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

/// How a queue was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many messages are in it.
    pub messages: u32,
    /// How many of them were published again, because they had been returned before.
    pub renewed: u32,
}

impl DeadQueue {
    /// Opens the queue, whose dead letters may be returned as often as `limit` says; none if there is no such queue. Waits
    /// a moment for another command to end.
    pub async fn open(
        connection: &Arc<Connection>,
        names: &Names,
        consumer: &ConsumerName,
        purpose: Purpose,
        limit: DeliveryLimit,
    ) -> Result<Option<Self>, TopologyError> {
        let queue = names.dead_queue(consumer);
        let probe = open_channel(connection).await?;
        if length(&probe, &queue).await?.is_none() {
            return Ok(None);
        }
        lock(connection, &names.dead_lock(consumer), &queue).await?;
        let Some(length) = length(&probe, &queue).await? else { return Ok(None) };
        close(&probe).await;
        Ok(Some(Self {
            connection: Arc::clone(connection),
            queue,
            names: names.clone(),
            length,
            read: 0,
            staying: 0,
            ended: Vec::new(),
            round: None,
            delivered: VecDeque::new(),
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

    /// The next that was delivered.
    fn pop(&mut self) -> Option<DeadLetter> {
        let message = self.delivered.pop_front()?;
        self.read += 1;
        Some(DeadLetter::read(self.read, message, &self.names, &self.queue))
    }

    /// Returns to the queue what was delivered and not taken out; says how the queue is then.
    pub async fn close(mut self) -> Result<Left, DeadQueueError> {
        let left = self.leave_all().await;
        // In the order of the queue.
        let rounds: Vec<Round> = self.ended.drain(..).chain(self.round.take()).collect();
        let flushing = join_all(rounds.iter().map(|round| round.acknowledger.flush()));
        // What is finished and cannot be acknowledged any more is returned.
        let _ = timeout(CLOSE_TIMEOUT, flushing).await;
        for round in rounds {
            self.connection.requeue(&round.channel).await;
        }
        left?;
        Ok(Left { messages: self.count_returned().await?, renewed: self.renewed })
    }

    async fn leave_all(&mut self) -> Result<(), DeadQueueError> {
        loop {
            while let Some(dead_letter) = self.pop() {
                self.leave(dead_letter);
            }
            self.end_round().await?;
            // What is behind dead letters that are published again is as well: otherwise the order would change.
            if self.renewal.is_none() {
                return Ok(());
            }
            match self.next().await? {
                Some(dead_letter) => self.leave(dead_letter),
                None => return Ok(()),
            }
        }
    }

    /// How many messages are in it when all that stay have been returned, which takes a quorum queue a moment; or fewer, if
    /// somebody else has taken some.
    async fn count_returned(&self) -> Result<u32, DeadQueueError> {
        let until = Instant::now() + CLOSE_TIMEOUT;
        // With those that were never delivered.
        let expected = self.staying + self.length.saturating_sub(self.read);
        loop {
            let messages = self.count().await?;
            if messages >= expected || Instant::now() >= until {
                return Ok(messages);
            }
            sleep(COUNT_INTERVAL).await;
        }
    }

    /// How many messages are in it that nobody holds.
    async fn count(&self) -> Result<u32, DeadQueueError> {
        let channel = self.connection.channel().await.map_err(|e| self.lost(&e))?;
        let length = length(&channel, &self.queue).await.map_err(|e| self.gone(&e))?;
        close(&channel).await;
        length.ok_or_else(|| self.gone(&"it has been deleted"))
    }

    fn gone(&self, reason: &dyn std::fmt::Display) -> DeadQueueError {
        DeadQueueError::Lost { queue: self.queue.clone(), reason: reason.to_string() }
    }

    fn lost(&self, error: &lapin::Error) -> DeadQueueError {
        DeadQueueError::lost(&self.queue, error)
    }
}

impl DeadLetterQueue for DeadQueue {
    type Message = DeadLetter;
    type Error = DeadQueueError;

    fn length(&self) -> u32 {
        self.length
    }

    fn read(&self) -> u32 {
        self.read
    }

    /// In the order of the queue. Is to be awaited to its end, which is soon: if the future is dropped, dead letters may have been
    /// published again and the old ones be left in the queue.
    async fn next(&mut self) -> Result<Option<DeadLetter>, DeadQueueError> {
        if self.delivered.is_empty() && self.read < self.length {
            self.end_round().await?;
            self.begin_round().await?;
        }
        Ok(self.pop())
    }

    fn found(message: &DeadLetter) -> FoundMessage<'_> {
        message.found()
    }

    fn size(message: &DeadLetter) -> usize {
        message.message.data.len()
    }

    /// It returns to its position when the queue is closed, unless it could be dropped by that.
    fn leave(&mut self, dead_letter: DeadLetter) {
        self.staying += 1;
        if let Some(round) = self.round.as_mut().filter(|round| !round.is_renewed) {
            round.staying.push(dead_letter.message);
        }
    }

    fn discard(
        &mut self,
        dead_letter: &DeadLetter,
    ) -> impl Future<Output = Result<(), DeadQueueError>> + Send + use<> {
        let (queue, tag) = (self.queue.clone(), dead_letter.message.delivery_tag);
        let round = self.round.as_ref().map(|round| round.acknowledger.clone());
        async move {
            let Some(round) = round else {
                return Err(DeadQueueError::Lost { queue, reason: "it is no longer held".to_owned() });
            };
            let acknowledged = round.acknowledge(tag).await;
            acknowledged.map_err(|error| DeadQueueError::Lost { queue, reason: error.to_string() })
        }
    }

    /// They return to their positions when it is closed.
    fn expect_back(&mut self, dead_letters: u32) {
        self.staying += dead_letters;
    }
}

/// Takes the lock of the dead letters in `queue`; waits a moment while another command holds it.
async fn lock(connection: &Arc<Connection>, lock: &str, queue: &str) -> Result<(), TopologyError> {
    let until = Instant::now() + LOCK_TIMEOUT;
    loop {
        match activation::take_lock(connection, lock).await {
            Ok(true) => return Ok(()),
            Ok(false) if Instant::now() < until => sleep(LOCK_INTERVAL).await,
            Ok(false) => {
                return Err(TopologyError::Failed {
                    action: format!("look after the dead letters in `{queue}`"),
                    reason: "another `loghost dead-letters` holds them: wait until it has ended".to_owned(),
                    fault: Fault::Elsewhere,
                });
            }
            Err(error) => return Err(failed(format!("declare the queue `{lock}`"), &error)),
        }
    }
}
