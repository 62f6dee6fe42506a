//! What is told while the broker refuses logs for now, and of those that it has refused for too long.

use std::time::Duration;

use loghost_core::application::PublisherEvent;
use tokio::time::Instant;

use crate::connection::reconnect::ReconnectingConnection;
use crate::publish::unconfirmed::OutgoingMessage;

/// The least time between two lines that the broker refuses logs: where a consumer is slow, it does so repeatedly.
const INTERVAL: Duration = Duration::from_secs(10);

/// Whether the broker refuses logs for now, and what was told of that.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// When it was told last that logs are held back.
    last: Option<Instant>,
    refusing: Refusing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refusing {
    #[default]
    No,
    /// It was told.
    Told,
    /// It was not told, because that was done shortly before.
    Untold,
}

impl Refusals {
    /// The broker has refused a log.
    pub(crate) fn refused(&mut self, message: &OutgoingMessage, connection: &ReconnectingConnection) {
        let OutgoingMessage { id, log, .. } = message;
        connection.tell_of_publishing(PublisherEvent::Refused(id, log));
        if self.refusing != Refusing::No {
            return;
        }
        self.refusing = Refusing::Untold;
        if self.last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            self.refusing = Refusing::Told;
            self.last = Some(Instant::now());
            connection.tell_of_publishing(PublisherEvent::HoldingBack(id, log));
        }
    }

    /// The broker has taken all that it had refused.
    pub(crate) fn all_taken(&mut self, connection: &ReconnectingConnection) {
        if std::mem::take(&mut self.refusing) == Refusing::Told {
            connection.tell_of_publishing(PublisherEvent::CaughtUp);
        }
    }
}

/// Logs that the broker has refused for too long.
#[derive(Debug, thiserror::Error)]
#[error(
    "the broker has refused {logs} logs, or one before them of their severity and source (tried for {}): make room \
     in the queue that is full",
    humantime::format_duration(*.tried_for)
)]
pub(crate) struct RefusedLogs {
    pub(crate) logs: usize,
    pub(crate) tried_for: Duration,
}
