//! Messages of a stream that the broker cannot deliver through AMQP 0-9-1: it ends the connection at each attempt.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::types::AMQPValue;
use tokio::time::timeout;

use crate::connection::fault::Fault;
use crate::connection::open::Connection;
use crate::connection::product::Generation;
use crate::stream::ends;
use crate::topology::channel::open_channel;
use crate::topology::error::TopologyError;

/// How long the broker may take to deliver a message of a stream; it delivers none where there is none.
const WAIT: Duration = Duration::from_secs(5);

/// How such a message is read all the same; the broker is RabbitMQ 3 if it is `old`, whose stream protocol has that since 3.13.
pub fn other_way(old: bool) -> String {
    let since = if old { " of RabbitMQ 3.13 or later" } else { "" };
    format!(
        "through the stream protocol{since} it is read (`rabbitmq-plugins enable rabbitmq_stream`, or --stream-address HOST:PORT)"
    )
}

/// The error for a broker that has ended the connection with an internal error instead of sending something of a stream.
pub(crate) fn error(connection: &Connection, stream: &str) -> TopologyError {
    let old = connection.product().generation == Generation::RabbitMq3;
    let action = format!("read the stream `{stream}`");
    let reason = format!(
        "the broker has ended the connection (INTERNAL_ERROR): most likely it cannot deliver one of its messages through AMQP \
         0-9-1; {}",
        other_way(old)
    );
    TopologyError::Failed { action, reason, fault: Fault::Elsewhere }
}

/// Whether the broker ends a connection with an internal error that has nothing else to do than to deliver the message at
/// this offset of a stream, or the last ones if none is known. The broker knows the connection by its `purpose`.
pub(crate) async fn ends_a_connection(
    connection: &Connection,
    purpose: &str,
    stream: &str,
    offset: Option<u64>,
) -> Result<bool, TopologyError> {
    let (from, credit) = match offset {
        Some(offset) => (AMQPValue::LongLongInt(i64::try_from(offset).unwrap_or(i64::MAX)), 1),
        None => (ends::named("last"), u16::MAX),
    };
    let beside = connection.beside(purpose).await?;
    let trying = async {
        let channel = open_channel(&beside).await?;
        beside.leave_out_bodies(&channel);
        let mut deliveries = ends::consume(&channel, stream, from, credit).await?;
        let delivered = async {
            loop {
                tokio::select! {
                    delivery = deliveries.next() => match delivery {
                        // Of several, one behind the first may be it.
                        Some(Ok(_)) if credit > 1 => {}
                        delivery => return matches!(delivery, Some(Ok(_))),
                    },
                    () = beside.end() => return false,
                }
            }
        };
        let is_delivered = timeout(WAIT, delivered).await;
        // The client may say that there are no more deliveries before it notes that the connection has ended.
        Ok(is_delivered == Ok(false) && beside.is_gone().await && beside.has_ended_internally().await)
    };
    let ends = trying.await;
    beside.close().await;
    ends
}
