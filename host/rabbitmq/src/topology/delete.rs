//! Deleting the queues and exchanges of consumers.

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use loghost_core::domain::{ConsumerName, Severity};

use crate::connection::open::Connection;
use crate::message::names::Names;
use crate::topology::channel::{close, open_channel};
use crate::topology::error::{TopologyError, failed};

/// Deletes the queues of these consumers and those of their dead letters, with all that is in them, as far as they exist.
pub async fn delete_queues(
    connection: &Connection,
    names: &Names,
    consumers: impl IntoIterator<Item = &ConsumerName>,
) -> Result<(), TopologyError> {
    let queues =
        consumers.into_iter().flat_map(|consumer| [names.queue(consumer), names.dead_queue(consumer)]);
    delete(connection, queues.collect()).await
}

/// Deletes the streams of all severities.
pub async fn delete_streams(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
    delete(connection, Severity::ALL.iter().map(|severity| names.exchange(*severity).to_owned()).collect())
        .await
}

async fn delete(connection: &Connection, queues: Vec<String>) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    for queue in queues {
        let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
        deleted.map_err(|e| failed(format!("delete the queue `{queue}`"), &e))?;
    }
    close(&channel).await;
    Ok(())
}

/// Deletes the exchanges of all severities, and that of the dead letters.
pub async fn delete_exchanges(connection: &Connection, names: &Names) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    let dead = names.dead_exchange();
    let exchanges = Severity::ALL.map(|severity| names.exchange(severity));
    for exchange in exchanges.into_iter().chain([dead.as_str()]) {
        let deleted = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await;
        deleted.map_err(|e| failed(format!("delete the exchange `{exchange}`"), &e))?;
    }
    close(&channel).await;
    Ok(())
}
