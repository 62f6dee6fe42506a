//! Becoming the one host that consumes a queue.
//!
//! A broker does not tell a consumer whether it is the single active one, and counts those that wait on some
//! queues and not on others. So a host that stands by does not consume: it looks whether anybody does. Who finds
//! nobody begins, under a lock that keeps another host from doing the same in this moment, and knows then that it
//! is the active one, until it leaves.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer, ErrorKind};
use tokio::time::sleep;

use super::connection::Connection;
use super::topology;

/// The delays between two looks of a host that stands by.
const LOOKS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(LONGEST)
    .without_max_times()
    .with_jitter();

/// Jitter lengthens it by up to its own length.
const LONGEST: Duration = Duration::from_secs(1);

/// The delays while another host has the lock: not the same for each that waits for it.
const LOCKED: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(10))
    .with_max_delay(LONGEST)
    .without_max_times()
    .with_jitter();

/// A queue that is to be consumed by one host.
pub(super) struct Activation {
    pub(super) connection: Arc<Connection>,
    /// Where it is consumed.
    pub(super) channel: Channel,
    pub(super) queue: String,
    /// The exclusive queue that is the lock.
    pub(super) lock: String,
}

impl Activation {
    /// Consumes the queue if nobody else does.
    pub(super) async fn attempt(&self) -> lapin::Result<Option<Consumer>> {
        let mut delays = LOCKED.build();
        while self.is_free().await? {
            if let Some(lock) = self.lock().await? {
                let attempt = async {
                    Ok(if self.is_free().await? {
                        Some(self.connection.consume(&self.channel, &self.queue).await?)
                    } else {
                        None
                    })
                };
                let consumer = attempt.await;
                self.unlock(&lock).await;
                return consumer;
            }
            sleep(delays.next().unwrap_or(LONGEST)).await;
        }
        Ok(None)
    }

    /// Waits until nobody consumes the queue, and consumes it.
    pub(super) async fn wait(self) -> lapin::Result<Consumer> {
        let mut delays = LOOKS.build();
        loop {
            sleep(delays.next().unwrap_or(LONGEST)).await;
            if let Some(consumer) = self.attempt().await? {
                return Ok(consumer);
            }
        }
    }

    async fn is_free(&self) -> lapin::Result<bool> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let looked = self.channel.queue_declare(self.queue.as_str().into(), options, FieldTable::default());
        Ok(looked.await?.consumer_count() == 0)
    }

    /// Takes the lock, on a channel of its own, unless another connection has it. It goes with the connection.
    async fn lock(&self) -> lapin::Result<Option<Channel>> {
        let channel = self.connection.channel().await?;
        let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let none = FieldTable::default();
        match channel.queue_declare(self.lock.as_str().into(), exclusive, none).await {
            Ok(_) => Ok(Some(channel)),
            Err(error) if is_locked(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the lock back. If that fails, it is this host that may take it again.
    async fn unlock(&self, lock: &Channel) {
        let _ = lock.queue_delete(self.lock.as_str().into(), QueueDeleteOptions::default()).await;
        topology::close(lock).await;
    }
}

fn is_locked(error: &lapin::Error) -> bool {
    let locked = AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED);
    matches!(error.kind(), ErrorKind::ProtocolError(answer) if *answer.kind() == locked)
}
