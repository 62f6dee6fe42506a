//! How many messages wait in the queues of a run's consumers: the broker is asked.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use loghost_board::QueueDepths;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Names, ReconnectingConnection, queue_lengths};

use crate::compose::connections::Connections;

/// Asks the broker how many messages wait in queues.
pub(crate) struct BrokerDepths {
    connection: Arc<ReconnectingConnection>,
    names: Names,
}

impl BrokerDepths {
    /// Asks through the connection that logs come by.
    pub(crate) fn new(connections: &Connections) -> Self {
        Self { connection: Arc::clone(&connections.consuming), names: connections.names.clone() }
    }
}

impl QueueDepths for BrokerDepths {
    fn ready(&self, consumers: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, Vec<Option<u32>>> {
        let queues: Vec<String> = consumers.iter().map(|consumer| self.names.queue(consumer)).collect();
        async move { queue_lengths(&self.connection, &queues, within).await }.boxed()
    }
}
