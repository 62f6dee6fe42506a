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
    let channel = open_channel(connection).await?;
    for consumer in consumers {
        for queue in [names.queue(consumer), names.dead_queue(consumer)] {
            let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
            deleted.map_err(|e| failed(format!("delete the queue `{queue}`"), &e))?;
        }
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
