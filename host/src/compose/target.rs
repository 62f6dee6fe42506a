//! Which broker, and under which names.

use std::sync::Arc;

use loghost_core::application::SinkError;
use loghost_core::domain::Producer;
use loghost_rabbitmq::{
    Address, ConnectError, Names, Obstacle, ReconnectingConnection, Retry, TopologyError,
};
use uuid::Uuid;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::ui::terminal;

/// A broker and a prefix on it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Tried in turn.
    pub(crate) addresses: Vec<Address>,
    /// What exchanges and queues are called.
    pub(crate) names: Names,
    /// How long a broker that is not there is tried.
    pub(crate) retry: Retry,
}

impl Target {
    /// Connects for `purpose`.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Arc<ReconnectingConnection>, Failure> {
        let link = ReconnectingConnection::new(self.addresses.clone(), purpose, self.retry, terminal::tell);
        link.connection().await.map_err(|error| unreachable(&error))?;
        Ok(Arc::new(link))
    }
}

/// What it means that there is no connection, and what to do about it.
pub(crate) fn unreachable(error: &ConnectError) -> Failure {
    let (status, advice) = match error.obstacle() {
        Obstacle::Absence => (Status::Unavailable, NO_BROKER),
        // These say themselves what to do.
        Obstacle::System => (Status::System, ""),
        Obstacle::Unready | Obstacle::Distrust => (Status::Unavailable, ""),
        Obstacle::Refusal | Obstacle::Setting => (Status::BadConfiguration, ""),
    };
    Failure::new(status, format!("{error}\n{advice}").trim_end().to_owned())
}

const NO_BROKER: &str = "\
start one, and try again:
  docker run --rm -p 5672:5672 rabbitmq:4   (RabbitMQ)
  loghost broker                              (in memory, for development)
or say where it is: --broker amqp://user:password@host:port/vhost";

/// A producer that nobody else is.
pub(crate) fn new_producer() -> Result<Producer, Failure> {
    Producer::new(Uuid::new_v4().simple().to_string()).status(Status::Internal)
}

/// What it means that logs cannot be published: the broker says no, or is gone, or takes no more.
pub(crate) fn unpublished(error: SinkError) -> Failure {
    Failure::of(status_of_sink(&error), error)
}

pub(crate) fn status_of_sink(error: &SinkError) -> Status {
    match error {
        SinkError::Refused(_) => Status::BadConfiguration,
        SinkError::NotTaken(_) => Status::BadInput,
        SinkError::Failed(cause) if cause.downcast_ref().is_some_and(ConnectError::is_refusal) => {
            Status::BadConfiguration
        }
        SinkError::Failed(_) => Status::Unavailable,
    }
}

/// What it means that something cannot be declared: the broker says no, or is gone.
pub(crate) fn refused(error: TopologyError) -> Failure {
    let status = if error.is_refusal() { Status::BadConfiguration } else { Status::Unavailable };
    Failure::of(status, error)
}
