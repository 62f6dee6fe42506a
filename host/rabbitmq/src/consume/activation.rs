//! Becoming the one host that consumes a queue.
//!
//! A broker does not tell a consumer whether it is the single active one, and a busy quorum queue may report no consumers
//! while it has one. So the active host holds a lock as long as it consumes: an exclusive queue, which is deleted with its
//! connection. A host that stands by does not consume, and looks at intervals whether anybody does: only if not, it tries
//! to take the lock, because the broker logs each refusal. Meanwhile it holds an exclusive queue of its own, whose name tells
//! whoever lists the queues of the broker that it is there.
//!
//! From version 4.2 on, a lock that was declared on a node that is down stays until that node is back. A host that finds no
//! consumer for a while, and the lock taken, consumes without it.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future::BoxFuture;
use lapin::options::{BasicNackOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer, ErrorKind};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::denied_rights::Right;
use crate::connection::fault::{Fault, fault};
use crate::connection::open::{CLOSE_TIMEOUT, Connection};
use crate::topology::channel::close;

/// The delays between two looks of a host that stands by.
const LOOKS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(LONGEST)
    .without_max_times()
    .with_jitter();

/// Jitter lengthens it by up to its own length.
const LONGEST: Duration = Duration::from_secs(1);

/// A lock is left behind if the queue has had no consumer for this long: a host consumes as soon as it has the lock, and a busy
/// queue may report no consumers for a moment.
const LEFT_BEHIND: Duration = Duration::from_secs(15);

/// Whether this host consumes the queue.
pub(crate) enum ConsumerState {
    /// Another host does; ready when this one does instead.
    StandingBy(BoxFuture<'static, lapin::Result<Consumer>>),
    /// This one does.
    Active(Consumer),
}

/// A queue that is to be consumed by one host.
pub(crate) struct Activation {
    pub(crate) connection: Arc<Connection>,
    /// Where it is consumed.
    pub(crate) channel: Channel,
    pub(crate) queue: String,
    /// The exclusive queue that is the lock.
    pub(crate) lock: String,
    /// The exclusive queue by which others see that this host stands by.
    pub(crate) standby: String,
}

impl Activation {
    /// Consumes the queue if no other host does.
    pub(crate) async fn attempt(&self) -> lapin::Result<Option<Consumer>> {
        if !take_lock(&self.connection, &self.lock).await? {
            return Ok(None);
        }
        let attempt = async {
            // A consumer that is no loghost takes no lock.
            Ok(match self.consumers().await? {
                0 => Some(self.connection.consume(&self.channel, &self.queue).await?),
                _ => None,
            })
        };
        let consumer = attempt.await;
        if !matches!(consumer, Ok(Some(_))) {
            release_lock(&self.connection, &self.lock).await;
        }
        consumer
    }

    /// Waits until no other host consumes the queue, and consumes it.
    pub(crate) async fn wait(self) -> lapin::Result<Consumer> {
        let standby = StandbyQueue { connection: Arc::clone(&self.connection), name: self.standby.clone() };
        standby.declare().await;
        let mut delays = LOOKS.build();
        let mut unconsumed = None;
        loop {
            sleep(delays.next().unwrap_or(LONGEST)).await;
            if self.consumers().await? > 0 {
                unconsumed = None;
                continue;
            }
            if let Some(consumer) = self.attempt().await? {
                return Ok(consumer);
            }
            if unconsumed.get_or_insert_with(Instant::now).elapsed() >= LEFT_BEHIND
                && let Some(consumer) = self.attempt_unlocked().await?
            {
                return Ok(consumer);
            }
        }
    }

    /// Consumes the queue without the lock, unless another host does at the same moment.
    async fn attempt_unlocked(&self) -> lapin::Result<Option<Consumer>> {
        let consumer = self.connection.consume(&self.channel, &self.queue).await?;
        if self.consumers().await? <= 1 {
            return Ok(Some(consumer));
        }
        self.connection.cancel(&self.channel, &consumer).await?;
        // Of a queue without a single active consumer, this one may have got some.
        self.channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: true }).await?;
        Ok(None)
    }

    async fn consumers(&self) -> lapin::Result<u32> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let looked = self.channel.queue_declare(self.queue.as_str().into(), options, FieldTable::default());
        Ok(looked.await?.consumer_count())
    }
}

/// Deletes the queue of a host that stands by no longer, because it consumes, is paused or ends.
struct StandbyQueue {
    connection: Arc<Connection>,
    name: String,
}

impl StandbyQueue {
    /// Declares it. Who may not stands by all the same, and is not refused again.
    async fn declare(&self) {
        let (names, _) = self.name.rsplit_once('.').unwrap_or((&self.name, ""));
        // Whether the connection is lost is seen by whoever waits on it.
        let _ = declare_exclusive(&self.connection, &self.name, names).await;
    }
}

impl Drop for StandbyQueue {
    fn drop(&mut self) {
        let (connection, name) = (Arc::clone(&self.connection), std::mem::take(&mut self.name));
        // Without a runtime, the connection ends as well, and the queue with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { release_lock(&connection, &name).await });
        }
    }
}

/// Takes the lock of this name, unless another connection has it. The lock ends with the connection. A user who may not
/// declare it consumes without: the broker still has one active consumer at a time.
pub(crate) async fn take_lock(connection: &Connection, lock: &str) -> lapin::Result<bool> {
    declare_exclusive(connection, lock, lock).await
}

/// Declares an exclusive queue, unless another connection has it, or the user may not declare queues whose `names` are like this;
/// false in the first case.
async fn declare_exclusive(connection: &Connection, queue: &str, names: &str) -> lapin::Result<bool> {
    if connection.denied.has(Right::Configure, names) {
        return Ok(true);
    }
    let channel = connection.channel().await?;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.into(), exclusive, FieldTable::default()).await {
        Ok(_) => {
            close(&channel).await;
            Ok(true)
        }
        Err(error) if is_locked(&error) => Ok(false),
        Err(error) if fault(&error) == Fault::Permission => {
            connection.denied.add(Right::Configure, names);
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Releases the lock, if this connection has it.
pub(crate) async fn release_lock(connection: &Connection, lock: &str) {
    if connection.denied.has(Right::Configure, lock) {
        return;
    }
    let releasing = async {
        let channel = connection.channel().await?;
        channel.queue_delete(lock.into(), QueueDeleteOptions::default()).await?;
        channel.close(200, "done".into()).await
    };
    // Without an answer, the lock is released when the connection ends.
    let _ = timeout(CLOSE_TIMEOUT, releasing).await;
}

fn is_locked(error: &lapin::Error) -> bool {
    let locked = AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED);
    matches!(error.kind(), ErrorKind::ProtocolError(answer) if *answer.kind() == locked)
}
