//! Connecting to the first broker that answers.

use std::fmt::Write;

use lapin::types::{LongString, ShortString};
use lapin::{Channel, ConnectionProperties};
use loghost_core::application::BoxError;
use tokio::time::timeout;

use super::address::Address;

/// A connection, and where it leads.
pub(crate) struct Connection {
    inner: lapin::Connection,
    address: Address,
}

/// Why there is no connection: for each address in turn.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(.0))]
pub(crate) struct ConnectError(Vec<(Address, String)>);

fn describe(failures: &[(Address, String)]) -> String {
    let mut text = String::new();
    for (n, (address, reason)) in failures.iter().enumerate() {
        let separator = if n == 0 { "" } else { "; " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}no broker at {address}: {reason}");
    }
    text
}

impl Connection {
    /// Connects to the first of `addresses` that answers; `purpose` names the connection to the broker.
    pub(crate) async fn open(addresses: &[Address], purpose: &str) -> Result<Self, ConnectError> {
        let mut failures = Vec::new();
        for address in addresses {
            let name = format!("loghost {purpose}");
            let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
            let connecting = lapin::Connection::connect_uri(address.uri(), properties);
            let reason = match timeout(address.timeout(), connecting).await {
                Ok(Ok(inner)) => return Ok(Self { inner, address: address.clone() }),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {}", humantime::format_duration(address.timeout())),
            };
            failures.push((address.clone(), reason));
        }
        Err(ConnectError(failures))
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a channel.
    pub(super) async fn channel(&self) -> lapin::Result<Channel> {
        self.inner.create_channel().await
    }

    /// Says goodbye, so that the broker requeues what is not acknowledged before this returns.
    pub(crate) async fn close(&self) -> Result<(), BoxError> {
        Ok(self.inner.close(200, ShortString::from("done")).await?)
    }
}
