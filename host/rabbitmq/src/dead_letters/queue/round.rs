//! A round: some dead letters, delivered on a channel of their own.
//!
//! The broker may lose acknowledgements of a channel on which many are sent before it is closed, so their number is limited.
//! All of a round are delivered before any of them is acknowledged: a consumer whose deliveries are acknowledged gets more,
//! and what has not reached it when it is cancelled is returned to the queue before the others.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use lapin::options::BasicQosOptions;
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use super::{DeadQueue, Purpose};
use crate::dead_letters::acknowledger::Acknowledger;
use crate::dead_letters::error::DeadQueueError;

/// How many dead letters are in a round, as a rule: this limits memory.
const ROUND: u32 = 512;

/// The most rounds, as the number of channels is limited for each connection.
const MOST_ROUNDS: u32 = 128;

/// How long no delivery arrives before it is checked whether there are any.
const QUIET: Duration = Duration::from_millis(500);

/// The dead letters of one channel.
pub(super) struct Round {
    pub(super) channel: Channel,
    pub(super) acknowledger: Acknowledger,
    /// Those that stay in the queue.
    pub(super) staying: Vec<Message>,
    /// Whether all of them have been published again.
    pub(super) is_renewed: bool,
}

impl DeadQueue {
    /// Waits for the deliveries of the next round.
    pub(super) async fn begin_round(&mut self) -> Result<(), DeadQueueError> {
        let round = ROUND.max(self.length.div_ceil(MOST_ROUNDS)).min(u16::MAX.into());
        let wanted = (self.length - self.read).min(round);
        let channel = self.connection.channel().await.map_err(|e| self.lost(&e))?;
        let acknowledger = Acknowledger::new(Arc::clone(&self.connection), channel.clone());
        let round = Round { channel: channel.clone(), acknowledger, staying: Vec::new(), is_renewed: false };
        self.round = Some(round);
        let prefetch = u16::try_from(wanted).unwrap_or(u16::MAX);
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(|e| self.lost(&e))?;
        let mut consumer = self.connection.consume(&channel, &self.queue).await.map_err(|e| self.lost(&e))?;
        for _ in 0..wanted {
            match self.receive(&mut consumer).await? {
                Some(message) => self.delivered.push_back(message),
                None => break,
            }
        }
        self.connection.cancel(&channel, &consumer).await.map_err(|e| self.lost(&e))?;
        while let Some(Some(Ok(message))) = consumer.next().now_or_never() {
            self.delivered.push_back(message);
        }
        // Before any is shown, as that may take long and end in any way.
        if self.purpose == Purpose::Look && self.must_renew(self.delivered.iter()) {
            let renewals = self.delivered.iter().map(|message| self.renewal_of(message)).collect();
            self.renew(renewals).await?;
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

    /// Ends the round: what was delivered stays unacknowledged, unless it has to be published again.
    pub(super) async fn end_round(&mut self) -> Result<(), DeadQueueError> {
        let Some(round) = &mut self.round else { return Ok(()) };
        let (staying, is_renewed) = (std::mem::take(&mut round.staying), round.is_renewed);
        let renewed = if !is_renewed && self.must_renew(staying.iter()) {
            let renewals = staying.iter().map(|message| self.renewal_of(message)).collect();
            self.renew(renewals).await
        } else {
            Ok(())
        };
        self.ended.extend(self.round.take());
        renewed
    }
}
