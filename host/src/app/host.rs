//! Which broker, and under which names.

use loghost_core::domain::Producer;
use uuid::Uuid;

use super::failure::{Failure, Status, WithStatus};
use crate::adapters::amqp::{Address, Connection, Names, TopologyError};
use crate::adapters::terminal;

/// A broker and a prefix on it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Tried in turn.
    pub(crate) addresses: Vec<Address>,
    /// What exchanges and queues are called.
    pub(crate) names: Names,
}

impl Target {
    /// Connects for `purpose`.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Connection, Failure> {
        Connection::open(&self.addresses, purpose, terminal::notice).await.map_err(|error| {
            let advice = if error.is_refusal() { WRONG_URL } else { NO_BROKER };
            Failure::new(Status::Unavailable, format!("{error}\n{advice}"))
        })
    }
}

const NO_BROKER: &str = "\
start one, and try again:
  docker run --rm -p 5672:5672 rabbitmq:3.13-management   (RabbitMQ)
  loghost broker                                         (in memory, for development)
or say where it is: --broker amqp://user:password@host:port/vhost";

const WRONG_URL: &str = "\
check user, password and virtual host: --broker amqp://user:password@host:port/vhost
(to RabbitMQ, the user guest may only connect from the same machine)";

/// A producer that nobody else is.
pub(super) fn new_producer() -> Result<Producer, Failure> {
    Producer::new(Uuid::new_v4().simple().to_string()).status(Status::Internal)
}

/// What it means that something cannot be declared: the broker says no, or is gone.
pub(super) fn refused(error: TopologyError) -> Failure {
    let status = if error.is_refusal() { Status::BadConfiguration } else { Status::Unavailable };
    Failure { status, error: Some(error.into()) }
}
