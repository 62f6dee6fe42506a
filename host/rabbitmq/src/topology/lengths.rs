//! How many messages wait in queues, for whoever shows it. It is asked on a channel of its own, so that no consumer is held
//! up.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::connection::reconnect::ReconnectingConnection;
use crate::topology::channel::{close, open_channel};
use crate::topology::error::TopologyError;
use crate::topology::look::length;

/// How many messages are ready in each of these queues, in their order; none where there is no such queue, or it cannot be
/// told `within` this time. They are asked for one after the other.
pub async fn queue_lengths(
    connection: &Arc<ReconnectingConnection>,
    queues: &[String],
    within: Duration,
) -> Vec<Option<u32>> {
    let mut lengths = vec![None; queues.len()];
    let until = Instant::now() + within;
    let Ok(Ok(connection)) = timeout_at(until, connection.connection()).await else { return lengths };
    let asking = async {
        let mut channel = open_channel(&connection).await?;
        for (queue, known) in queues.iter().zip(&mut lengths) {
            match length(&channel, queue).await {
                Ok(Some(length)) => *known = Some(length),
                // That has closed the channel.
                Ok(None) | Err(_) => channel = open_channel(&connection).await?,
            }
        }
        close(&channel).await;
        Ok::<_, TopologyError>(())
    };
    // What is known by then is told.
    let _ = timeout_at(until, connection.answer(asking)).await;
    lengths
}
