//! Sending dead letters back to the consumer that they are of.

use std::sync::Arc;
use std::time::Duration;

use loghost_core::domain::ConsumerName;

use crate::connection::open::Connection;
use crate::dead_letters::confirmed_sender::{ConfirmedSender, Undelivered};
use crate::dead_letters::dead_letter::DeadLetter;
use crate::dead_letters::queue::{DeadQueue, DeadQueueError};
use crate::dead_letters::writer::full;
use crate::message::names::Names;
use crate::topology::declare::{self, TopologyError, open_channel, open_confirming_channel};

/// The way back from the dead letters: straight into the consumer's queue, so that nobody else sees them
/// again.
pub struct Replay {
    sender: ConfirmedSender,
    queue: String,
    frame_max: usize,
}

impl Replay {
    /// Opens the way, on a connection for publishing; none if the consumer has no queue. While that is full, it is
    /// waited for as long as `patience`, or for ever.
    pub async fn open(
        publishing: &Arc<Connection>,
        names: &Names,
        consumer: &ConsumerName,
        patience: Option<Duration>,
    ) -> Result<Option<Self>, TopologyError> {
        let queue = names.queue(consumer);
        let probe = open_channel(publishing).await?;
        if declare::length(&probe, &queue).await?.is_none() {
            return Ok(None);
        }
        let channel = open_confirming_channel(publishing).await?;
        let sender = ConfirmedSender::new(Arc::clone(publishing), channel, ("", &queue), &queue, patience);
        Ok(Some(Self { sender, queue, frame_max: publishing.frame_max() }))
    }

    /// Sends a letter of `dead` back; when the broker has it in the consumer's queue (if that is full, when there
    /// is room), it is taken out of the other. Any number may be under way, in one `FuturesUnordered` (see [`ConfirmedSender::send`]).
    pub fn send(
        &self,
        dead: &mut DeadQueue,
        letter: DeadLetter,
    ) -> impl Future<Output = Result<(), DeadQueueError>> + Send + use<> {
        let (queue, discard) = (self.queue.clone(), dead.discard(&letter));
        let properties = letter.replay_properties(self.frame_max);
        let sending = self.sender.send(letter.message.data, properties);
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
