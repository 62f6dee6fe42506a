//! What is said while the broker refuses logs for now, and of those that it refuses for good.

use std::time::Duration;

use loghost_core::application::Level;
use tokio::time::Instant;

use crate::connection::reconnect::ReconnectingConnection;
use crate::publish::unconfirmed::Message;

/// The least time between two notices that the broker refuses logs: where a consumer is slow, it does so repeatedly.
const NOTICE_INTERVAL: Duration = Duration::from_secs(10);

/// Whether the broker refuses logs for now, and what was said of that.
#[derive(Debug, Default)]
pub(crate) struct RefusalNotices {
    /// When it was said last that logs are refused.
    last: Option<Instant>,
    refusing: Refusing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refusing {
    #[default]
    No,
    /// It was said.
    Said,
    /// It was not said, because that was done shortly before.
    Unsaid,
}

impl RefusalNotices {
    /// The broker has refused a log.
    pub(crate) fn refused(&mut self, message: &Message, connection: &ReconnectingConnection) {
        if self.refusing != Refusing::No {
            return;
        }
        self.refusing = Refusing::Unsaid;
        if self.last.is_none_or(|last| last.elapsed() >= NOTICE_INTERVAL) {
            self.refusing = Refusing::Said;
            self.last = Some(Instant::now());
            let log = describe(message);
            connection.say(
                Level::Warning,
                &format!(
                    "the broker refused the log {log}: most likely a queue that it goes to is full (reject-publish); it \
                     is sent again until it is taken, and what comes after it of its severity and source waits"
                ),
            );
        }
    }

    /// The broker has taken all that it had refused.
    pub(crate) fn all_taken(&mut self, connection: &ReconnectingConnection) {
        if std::mem::take(&mut self.refusing) == Refusing::Said {
            connection.say(Level::Info, "the broker has taken the logs that it had refused");
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

/// A log, described so that its producer can find it.
pub(crate) fn describe(message: &Message) -> String {
    let Message { id, log, .. } = message;
    let bytes = log.message.len();
    match &log.source {
        Some(source) => format!("{id} ({} of {source}, {bytes} bytes)", log.severity),
        None => format!("{id} ({}, {bytes} bytes)", log.severity),
    }
}
