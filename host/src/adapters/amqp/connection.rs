//! Connecting to the first broker that answers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::types::{LongString, ShortString};
use lapin::{Channel, ConnectionProperties, ErrorKind, Event};
use loghost_core::application::SourceError;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::address::Address;

/// A connection, and where it leads.
pub(crate) struct Connection {
    inner: lapin::Connection,
    address: Address,
    channels: Mutex<Vec<Channel>>,
    /// Says when the broker holds publishers back; ends with the connection.
    watch: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Why there is no connection: for each address in turn.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub(crate) struct ConnectError(Vec<NoConnection>);

/// Why there is none to one address.
#[derive(Debug, thiserror::Error)]
enum NoConnection {
    /// A broker answered, and said no.
    #[error("the broker at {0} refused: {1}")]
    Refused(Address, String),
    /// There was no answer, or none that a broker gives.
    #[error("no broker at {0}: {1}")]
    NoBroker(Address, String),
}

impl ConnectError {
    /// Whether there is a broker, and it does not want this user or has no such virtual host.
    pub(crate) fn is_refusal(&self) -> bool {
        self.0.iter().any(|failure| matches!(failure, NoConnection::Refused(..)))
    }
}

impl Connection {
    /// Connects to the first of `addresses` that answers; `purpose` names the connection to the broker.
    /// `tell` is told when the broker holds publishers back, and when it no longer does.
    pub(crate) async fn open(
        addresses: &[Address],
        purpose: &str,
        tell: fn(&str),
    ) -> Result<Self, ConnectError> {
        let mut failures = Vec::new();
        for address in addresses {
            let name = format!("loghost {purpose}");
            let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
            let connecting = lapin::Connection::connect_uri(address.uri(), properties);
            failures.push(match timeout(address.timeout(), connecting).await {
                Ok(Ok(inner)) => return Ok(Self::new(inner, address.clone(), tell)),
                Ok(Err(error)) if error.is_amqp_error() => {
                    NoConnection::Refused(address.clone(), reason(&error))
                }
                Ok(Err(error)) => NoConnection::NoBroker(address.clone(), reason(&error)),
                Err(_) => {
                    let waited = humantime::format_duration(address.timeout());
                    NoConnection::NoBroker(address.clone(), format!("no answer within {waited}"))
                }
            });
        }
        Err(ConnectError(failures))
    }

    fn new(inner: lapin::Connection, address: Address, tell: fn(&str)) -> Self {
        let mut events = inner.events_listener();
        let watch = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::ConnectionBlocked(why) = event {
                    tell(&format!("the broker holds publishers back: {why}"));
                } else if let Event::ConnectionUnblocked = event {
                    tell("the broker takes logs again");
                }
            }
        });
        Self { inner, address, channels: Mutex::new(Vec::new()), watch: watch.abort_handle() }
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a channel, which lasts as long as the connection unless it is closed: one that merely goes
    /// out of scope is closed behind everybody's back, and meets the connection's own end half-way.
    pub(super) async fn channel(&self) -> lapin::Result<Channel> {
        let channel = self.inner.create_channel().await?;
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).push(channel.clone());
        Ok(channel)
    }

    /// Says goodbye, so that the broker has requeued what is not acknowledged when this returns. A
    /// connection that is gone, or whose broker does not answer, needs no goodbye.
    pub(crate) async fn close(self) {
        let _ = timeout(GOODBYE, self.inner.close(200, ShortString::from("done"))).await;
    }
}

/// How long a broker may take to answer a goodbye.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);

/// What went wrong, in the broker's words where it had any.
pub(super) fn reason(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(answer) => answer.get_message().to_string(),
        _ => error.to_string(),
    }
}

/// The end of a connection, as its source tells it.
pub(super) fn lost(error: &lapin::Error) -> SourceError {
    SourceError::Lost(reason(error).into())
}
