//! Which connection a consumer consumes on: the one that all share, or one of its own.
//!
//! `RabbitMQ` answers some requests and deliveries with an internal error, which ends the whole connection; a queue that
//! cannot be opened, or a message that it cannot deliver, does so each time. When that happens again and again, each
//! consumer that shares the connection gets another one: the next time it ends, it is that of one alone.

use std::sync::Arc;
use std::time::Duration;

use loghost_core::domain::ConsumerName;
use tokio::time::Instant;

use crate::connection::error::ConnectError;
use crate::connection::open::Connection;
use crate::connection::reconnect::ReconnectingConnection;
use crate::topology::event::TopologyEvent;

/// How many ends in a row are taken for the fault of one of those that share a connection.
const ENDS: u32 = 2;

/// Ends that are further apart than this are not in a row.
const STEADY: Duration = Duration::from_mins(1);

/// The connection that a consumer consumes on.
pub(crate) struct ConsumingConnection {
    connection: Arc<ReconnectingConnection>,
    sharing: Sharing,
    /// What it used last, and since when.
    last: Option<(Arc<Connection>, Instant)>,
}

/// How the connection has ended that a consumer had last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastEnd {
    /// It was that of this consumer alone, and the broker has ended it with an internal error.
    Internal,
    /// Otherwise, or it has not ended.
    Other,
}

enum Sharing {
    /// With other consumers. The broker has ended it so many times in a row with an internal error.
    Shared {
        internal_ends: u32,
    },
    Separate,
}

impl ConsumingConnection {
    pub(crate) fn shared(connection: Arc<ReconnectingConnection>) -> Self {
        Self { connection, sharing: Sharing::Shared { internal_ends: 0 }, last: None }
    }

    /// The connection on which `consumer` consumes next, and how the last one has ended.
    pub(crate) async fn next(
        &mut self,
        consumer: &ConsumerName,
    ) -> Result<(Arc<Connection>, LastEnd), ConnectError> {
        let last_end = self.last_end().await;
        let separated = self.separate(consumer).await;
        let connection = self.connection.connection().await?;
        if separated {
            connection.tell(Some(consumer), &TopologyEvent::ConnectionSeparated);
        }
        self.last = Some((Arc::clone(&connection), Instant::now()));
        Ok((connection, last_end))
    }

    /// The one that it has now.
    pub(crate) async fn current(&self) -> Result<Arc<Connection>, ConnectError> {
        self.connection.connection().await
    }

    /// The timeout for errors that may pass; none if they are waited for without end.
    pub(crate) fn retry_timeout(&self) -> Option<Duration> {
        self.connection.retry_timeout()
    }

    /// How the last one has ended, if it was that of one consumer alone; it is looked at once.
    async fn last_end(&mut self) -> LastEnd {
        match (&self.sharing, self.last.take_if(|_| matches!(self.sharing, Sharing::Separate))) {
            (Sharing::Separate, Some((last, _))) if last.has_ended_internally().await => LastEnd::Internal,
            _ => LastEnd::Other,
        }
    }

    /// Takes another connection if the shared one has ended too often; tells whether it has.
    async fn separate(&mut self, consumer: &ConsumerName) -> bool {
        let Sharing::Shared { internal_ends } = &mut self.sharing else { return false };
        if let Some((last, since)) = &self.last {
            *internal_ends = match last.has_ended_internally().await {
                true if since.elapsed() < STEADY => *internal_ends + 1,
                true => 1,
                false => 0,
            };
            // It is looked at once.
            self.last = None;
        }
        if *internal_ends < ENDS {
            return false;
        }
        self.connection = self.connection.separate(consumer.as_str());
        self.sharing = Sharing::Separate;
        true
    }
}
