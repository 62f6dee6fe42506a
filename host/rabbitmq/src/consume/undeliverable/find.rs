//! Finding the message that the broker cannot deliver, and proving that it is one: a copy of it, alone in a queue, ends the
//! connection that consumes it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use loghost_core::domain::ConsumerName;
use tokio::time::{sleep, timeout};

use crate::amqp10::{self, Amqp10Error, Receiver};
use crate::connection::open::Connection;
use crate::message::names::Names;
use crate::topology::bindings::bind;
use crate::topology::channel::open_channel;
use crate::topology::declare_queue::declare_exclusive;
use crate::topology::error::{TopologyError, failed};
use crate::topology::look::queue_state;

/// How long the broker may take to deliver a message that is in a queue.
const WAIT: Duration = Duration::from_secs(5);

/// How often a message is received, and how long it is waited between: a multiple of this. The broker puts one that it could
/// not deliver back a moment after the connection has ended.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// What was found in a queue.
pub(crate) enum Finding<T> {
    /// Nothing that can be looked at: no message, or another consumer.
    Nothing,
    /// A message that the broker cannot deliver.
    Message(T),
    /// No message of which that is proven, for this reason.
    Unproven(String),
}

/// A message as it came in AMQP 1.0.
pub(crate) struct Received {
    /// Through which it came.
    pub(crate) receiver: Receiver,
    /// Its sections.
    pub(crate) message: Vec<u8>,
}

/// Why it is not known whether a message can be delivered.
#[derive(Debug, thiserror::Error)]
enum NoProof {
    #[error(transparent)]
    Topology(#[from] TopologyError),
    #[error(transparent)]
    Amqp10(#[from] Amqp10Error),
}

/// Looks for it, while `connection` has the lock of the queue, so that no other host takes something out.
pub(crate) async fn find(
    connection: &Arc<Connection>,
    names: &Names,
    consumer: &ConsumerName,
) -> Result<Finding<Received>, TopologyError> {
    let queue = names.queue(consumer);
    for attempt in 1..=ATTEMPTS {
        let state = queue_state(connection, &queue).await?;
        if state.is_none_or(|state| state.consumers > 0) {
            return Ok(Finding::Nothing);
        }
        if state.is_some_and(|state| state.messages > 0) {
            let received = match receive(connection, consumer, &queue).await {
                Ok(Some(received)) => received,
                Ok(None) => return Ok(Finding::Nothing),
                Err(error) => return Ok(Finding::Unproven(error.to_string())),
            };
            match ends_a_connection(connection, names, consumer, &received.message).await {
                Ok(true) => return Ok(Finding::Message(received)),
                Ok(false) => received.receiver.release().await,
                Err(error) => {
                    received.receiver.release().await;
                    return match error {
                        NoProof::Topology(error) if !error.is_refusal() => Err(error),
                        error => Ok(Finding::Unproven(error.to_string())),
                    };
                }
            }
        }
        sleep(PAUSE * attempt).await;
    }
    Ok(Finding::Unproven("what comes that way can be delivered".to_owned()))
}

/// Receives the first message of the queue through AMQP 1.0.
async fn receive(
    connection: &Connection,
    consumer: &ConsumerName,
    queue: &str,
) -> Result<Option<Received>, Amqp10Error> {
    let (address, generation) = (connection.address(), connection.product().generation);
    let mut receiver = Receiver::open(address, generation, queue, &connection_name(consumer)).await?;
    let message = receiver.receive().await?;
    Ok(message.map(|message| Received { receiver, message }))
}

/// Whether the broker ends a connection with an internal error that has nothing else to do than to deliver a copy of this
/// message. The copy is in a queue that ends with the connection.
async fn ends_a_connection(
    connection: &Connection,
    names: &Names,
    consumer: &ConsumerName,
    message: &[u8],
) -> Result<bool, NoProof> {
    let (queue, exchange) = (names.undeliverable(consumer), names.dead_exchange());
    let beside =
        connection.beside(&format!("undeliverable {consumer}")).await.map_err(TopologyError::from)?;
    let trying = async {
        let channel = open_channel(&beside).await?;
        declare_exclusive(&channel, &queue, None).await?;
        bind(&channel, &queue, &exchange, &queue).await?;
        let consuming = beside.consume(&channel, &queue).await;
        let mut deliveries = consuming.map_err(|e| failed(format!("consume the queue `{queue}`"), &e))?;
        let (address, generation) = (connection.address(), connection.product().generation);
        let name = connection_name(consumer);
        let sent = amqp10::send(address, generation, (&exchange, &queue), &name, message).await;
        let delivered = async {
            tokio::select! {
                delivery = deliveries.next() => matches!(delivery, Some(Ok(_))),
                () = beside.end() => false,
            }
        };
        match timeout(WAIT, delivered).await {
            // The client may say that there are no more deliveries before it notes that the connection has ended.
            Ok(false) if beside.is_gone().await && beside.has_ended_internally().await => Ok(true),
            // It may have been refused because its queue was gone.
            _ => Ok(sent.map(|()| false)?),
        }
    };
    let ends = trying.await;
    beside.close().await;
    ends
}

/// What the broker knows the connections by.
fn connection_name(consumer: &ConsumerName) -> String {
    format!("loghost undeliverable {consumer}")
}
