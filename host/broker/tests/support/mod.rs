//! What the tests share: brokers, connections of lapin, and patience.

// Each test binary uses another part of this.
#![allow(dead_code, reason = "each test binary uses another part")]

use std::{future::Future, time::Duration};

use lapin::{Channel, Connection, ConnectionProperties};
use loghost_broker::{Broker, Options};

/// Far more than anything here takes; what takes longer will never come.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn broker() -> Broker {
    broker_with(Options::default()).await
}

pub async fn broker_with(options: Options) -> Broker {
    Broker::bind(([127, 0, 0, 1], 0).into(), options).await.expect("a free port")
}

pub async fn connect(broker: &Broker) -> Connection {
    soon(Connection::connect(&broker.url(), ConnectionProperties::default())).await.expect("a connection")
}

pub async fn channel(broker: &Broker) -> (Connection, Channel) {
    let connection = connect(broker).await;
    let channel = soon(connection.create_channel()).await.expect("a channel");
    (connection, channel)
}

/// What is awaited, or a panic instead of a test that hangs.
#[track_caller]
pub fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain at {caller}"))
    }
}
