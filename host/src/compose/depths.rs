//! How many messages wait in the queues of a run's consumers, and where their streams end: the broker is asked.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use loghost_board::SourceDepths;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Names, ReconnectingConnection, StreamFigures, queue_lengths};
use tokio::time::timeout;

use crate::compose::consumer_builder::ConsumerBuilder;

/// Asks the broker how many messages wait in queues, and where streams end.
pub(crate) struct BrokerDepths {
    connection: Arc<ReconnectingConnection>,
    names: Names,
    streams: StreamFigures,
}

impl BrokerDepths {
    /// Asks through the connection that logs come by.
    pub(crate) fn new(builder: &ConsumerBuilder) -> Self {
        let connections = &builder.connections;
        Self {
            connection: Arc::clone(&connections.consuming),
            names: connections.names.clone(),
            streams: builder.stream_figures(),
        }
    }
}

impl SourceDepths for BrokerDepths {
    fn ready(&self, consumers: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, Vec<Option<u32>>> {
        let queues: Vec<String> = consumers.iter().map(|consumer| self.names.queue(consumer)).collect();
        async move { queue_lengths(&self.connection, &queues, within).await }.boxed()
    }

    fn ends(&self, streams: Vec<Arc<str>>, within: Duration) -> BoxFuture<'_, Vec<Option<u64>>> {
        let streams: Vec<String> = streams.iter().map(ToString::to_string).collect();
        let asking = async move {
            if streams.is_empty() {
                return Vec::new();
            }
            let ends = async {
                let connection = self.connection.connection().await.ok()?;
                Some(self.streams.ends(&connection, &streams, within).await)
            };
            timeout(within, ends).await.ok().flatten().unwrap_or_default()
        };
        asking.boxed()
    }
}
