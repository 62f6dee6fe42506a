//! The dead letters of a consumer: opening their queue, and the way back from it.

use std::sync::Arc;

use futures_util::FutureExt;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Connection, DeadQueue, DeadQueueError, ManagementUrl, Purpose, Replay};

use crate::compose::failure::{Failure, Status};
use crate::compose::limits;
use crate::compose::target::{Target, refused};

/// Opens the queue of dead letters, if there is one.
pub(crate) async fn open(
    target: &Target,
    management: Option<&ManagementUrl>,
    consumer: &ConsumerName,
    purpose: Purpose,
) -> Result<(Arc<Connection>, Option<DeadQueue>), Failure> {
    let reconnecting = target.connect("dead letters").await?;
    let connection = reconnecting.connection().await.map_err(|error| target.unreachable(&error))?;
    let limit = limits::of_queue(&connection, management, &target.names.dead_queue(consumer)).await;
    let opening = || DeadQueue::open(&connection, &target.names, consumer, purpose, limit.clone()).boxed();
    let queue = target.retry.until_ready(connection.observer(), opening).await.map_err(refused)?;
    Ok((connection, queue))
}

/// Connects for sending dead letters back: a broker that holds publishers back must not hold up the acknowledgements.
pub(crate) async fn connect_replay(target: &Target) -> Result<Arc<Connection>, Failure> {
    let reconnecting = target.connect("replaying dead letters").await?;
    reconnecting.connection().await.map_err(|error| target.unreachable(&error))
}

/// Opens the way back to the consumer, if it has a queue.
pub(crate) async fn open_replay(
    publishing: &Arc<Connection>,
    target: &Target,
    consumer: &ConsumerName,
) -> Result<Option<Replay>, Failure> {
    let timeout = target.retry.timeout();
    let opening = || Replay::open(publishing, &target.names, consumer, timeout).boxed();
    target.retry.until_ready(publishing.observer(), opening).await.map_err(refused)
}

/// That there is no way back to the consumer.
pub(crate) fn no_queue(target: &Target, consumer: &ConsumerName) -> Failure {
    let queue = target.names.queue(consumer);
    let text = format!(
        "there is no queue {queue} to send them back to: run the consumer, or declare its queue with \
         `loghost run PLUGIN --declare-only`; the dead letters are where they were"
    );
    Failure::new(Status::BadConfiguration, text)
}

/// That the connection has ended that dead letters were read from.
pub(crate) fn lost(connection: &Connection) -> Failure {
    let address = connection.address();
    let text = format!(
        "lost the connection to the broker at {address}: what is not confirmed elsewhere is still there"
    );
    Failure::new(Status::Unavailable, text)
}

/// What it means that they cannot be looked after any more.
pub(crate) fn failure(error: DeadQueueError) -> Failure {
    let status = match error {
        DeadQueueError::Lost { .. } | DeadQueueError::Full(_) => Status::Unavailable,
        DeadQueueError::NotTaken { .. } | DeadQueueError::Denied { .. } => Status::BadConfiguration,
    };
    let text = anyhow::Error::from(error).context("stopped; what was not confirmed is still a dead letter");
    Failure::of(status, text)
}
