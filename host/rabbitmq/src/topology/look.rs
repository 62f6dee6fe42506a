//! Looking at queues and exchanges without changing them: passive declarations.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

use crate::connection::fault::{Fault, fault};
use crate::connection::open::Connection;
use crate::topology::channel::{close, open_channel};
use crate::topology::error::{TopologyError, failed};

/// The state of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// How many of its messages are ready.
    pub messages: u32,
    /// How many consume it.
    pub consumers: u32,
}

/// The state of a queue of this name; none if there is no such queue.
pub async fn queue_state(connection: &Connection, queue: &str) -> Result<Option<QueueState>, TopologyError> {
    let channel = open_channel(connection).await?;
    let state = look(&channel, queue).await?;
    close(&channel).await;
    Ok(state)
}

/// Those of these queues that are there, as far as this user may know.
///
/// # Errors
///
/// If the broker does not tell.
pub async fn present(connection: &Connection, queues: &[String]) -> Result<Vec<String>, TopologyError> {
    let mut present = Vec::new();
    for queue in queues {
        match queue_state(connection, queue).await {
            Ok(Some(_)) => present.push(queue.clone()),
            Ok(None) => {}
            Err(error) if error.is_access_refused() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(present)
}

/// How many messages of a queue are ready; none if there is no such queue, which closes the channel.
pub(crate) async fn length(channel: &Channel, queue: &str) -> Result<Option<u32>, TopologyError> {
    Ok(look(channel, queue).await?.map(|state| state.messages))
}

/// The state of a queue; none if there is no such queue, which closes the channel.
pub(crate) async fn look(channel: &Channel, queue: &str) -> Result<Option<QueueState>, TopologyError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
        Ok(queue) => {
            Ok(Some(QueueState { messages: queue.message_count(), consumers: queue.consumer_count() }))
        }
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(format!("look at the queue `{queue}`"), &error)),
    }
}

/// Whether there is an exchange of this name; if not, the channel is closed.
pub(crate) async fn exchange_exists(channel: &Channel, name: &str) -> Result<bool, TopologyError> {
    let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default();
    match channel.exchange_declare(name.into(), ExchangeKind::Topic, passive, none).await {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed(format!("look at the exchange `{name}`"), &error)),
    }
}

fn is_missing(error: &lapin::Error) -> bool {
    fault(error) == Fault::Missing
}
