//! Sending dead letters back to the consumer that they are of.

use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{DeadLetterQueue, DeadLetterReturn};
use loghost_core::domain::ConsumerName;

use crate::connection::open::Connection;
use crate::dead_letters::confirmed_sender::ConfirmedSender;
use crate::dead_letters::dead_letter::DeadLetter;
use crate::dead_letters::error::DeadQueueError;
use crate::dead_letters::queue::DeadQueue;
use crate::message::names::Names;
use crate::topology::channel::{open_channel, open_confirming_channel};
use crate::topology::error::TopologyError;
use crate::topology::look::length;

/// Sends dead letters directly to the consumer's queue, so that no other consumer gets them again.
pub struct Replay {
    sender: ConfirmedSender,
    queue: String,
    frame_max: usize,
}

impl Replay {
    /// Opens it, on a connection for publishing; none if the consumer has no queue. While that is full, it is waited for as
    /// long as `timeout`, or without end.
    pub async fn open(
        publishing: &Arc<Connection>,
        names: &Names,
        consumer: &ConsumerName,
        timeout: Option<Duration>,
    ) -> Result<Option<Self>, TopologyError> {
        let queue = names.queue(consumer);
        let probe = open_channel(publishing).await?;
        if length(&probe, &queue).await?.is_none() {
            return Ok(None);
        }
        let channel = open_confirming_channel(publishing).await?;
        let sender = ConfirmedSender::new(Arc::clone(publishing), channel, ("", &queue), &queue, timeout);
        Ok(Some(Self { sender, queue, frame_max: publishing.frame_max() }))
    }
}

impl DeadLetterReturn<DeadQueue> for Replay {
    /// It is safe when the broker has it in the consumer's queue (if that is full, when there is room); see
    /// [`ConfirmedSender::send`].
    fn send(
        &self,
        dead: &mut DeadQueue,
        dead_letter: DeadLetter,
    ) -> impl Future<Output = Result<(), DeadQueueError>> + Send + use<> {
        let (queue, discard) = (self.queue.clone(), dead.discard(&dead_letter));
        let properties = dead_letter.replay_properties(self.frame_max);
        let sending = self.sender.send(dead_letter.message.data, properties);
        async move {
            sending.await.map_err(|undelivered| DeadQueueError::undelivered(&queue, undelivered))?;
            discard.await
        }
    }
}
