//! Publishing dead letters again that the broker could drop when they are returned.
//!
//! A queue may count how often a message is returned, and drop it beyond a limit. Such a dead letter is not returned: it is
//! published to the end of the queue, before it is acknowledged. To keep the order, so are all that are behind it.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use lapin::BasicProperties;
use lapin::message::Delivery as Message;

use super::DeadQueue;
use crate::connection::open::CLOSE_TIMEOUT;
use crate::dead_letters::confirmed_sender::ConfirmedSender;
use crate::dead_letters::error::DeadQueueError;
use crate::message::headers;
use crate::topology::channel::open_confirming_channel;
use crate::topology::delivery_limit::{self, DeliveryLimit};

/// A dead letter that is to be published again.
pub(super) struct Renewal {
    tag: u64,
    body: Vec<u8>,
    properties: BasicProperties,
}

impl DeadQueue {
    /// Whether the broker may drop the message when it is returned once more.
    fn may_be_dropped(&self, message: &Message) -> bool {
        let returns = delivery_limit::returns(&message.properties);
        match self.limit {
            DeliveryLimit::None => false,
            DeliveryLimit::At(limit, _) => returns >= limit.into(),
            // The limit is not zero, or the queue could not be read at all.
            DeliveryLimit::Unsaid => returns > 0,
        }
    }

    /// Whether what stays of a round is to be published again: some of it could be dropped, or what was before it was
    /// published again.
    pub(super) fn must_renew<'a>(&self, mut staying: impl Iterator<Item = &'a Message>) -> bool {
        self.renewal.is_some() || staying.any(|message| self.may_be_dropped(message))
    }

    /// What is published instead of a message.
    pub(super) fn renewal_of(&self, message: &Message) -> Renewal {
        Renewal {
            tag: message.delivery_tag,
            body: message.data.clone(),
            properties: headers::renewed(&message.properties, self.connection.frame_max()),
        }
    }

    /// Publishes what stays of the round again; when all of it is confirmed, acknowledges what was delivered.
    pub(super) async fn renew(&mut self, staying: Vec<Renewal>) -> Result<(), DeadQueueError> {
        let sender = if let Some(sender) = &self.renewal {
            sender.clone()
        } else {
            let channel = open_confirming_channel(&self.connection).await.map_err(|e| self.gone(&e))?;
            let target = ("", self.queue.as_str());
            ConfirmedSender::new(
                Arc::clone(&self.connection),
                channel,
                target,
                &self.queue,
                Some(CLOSE_TIMEOUT),
            )
        };
        self.renewal = Some(sender.clone());
        let tags: Vec<u64> = staying.iter().map(|renewal| renewal.tag).collect();
        let mut sending: FuturesUnordered<_> = staying
            .into_iter()
            .map(|Renewal { body, properties, .. }| sender.send(body, properties))
            .collect();
        while let Some(sent) = sending.next().await {
            sent.map_err(|undelivered| DeadQueueError::undelivered(&self.queue, undelivered))?;
        }
        self.renewed += u32::try_from(tags.len()).unwrap_or(u32::MAX);
        let Some(round) = &self.round else { return Ok(()) };
        let acknowledging = try_join_all(tags.into_iter().map(|tag| round.acknowledger.acknowledge(tag)));
        acknowledging.await.map(drop).map_err(|error| self.gone(&error))
    }
}
