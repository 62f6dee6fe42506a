//! Which broker, and under which names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use loghost_core::application::{Observer, SinkError};
use loghost_core::domain::Producer;
use loghost_rabbitmq::{
    Address, ConnectError, Names, Obstacle, ReconnectingConnection, Retry, TopologyError,
};
use uuid::Uuid;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::ui::terminal::LogObserver;

/// A broker and a prefix on it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Tried in turn.
    pub(crate) addresses: Vec<Address>,
    /// What exchanges and queues are called.
    pub(crate) names: Names,
    /// The environment variable, or the location in the configuration file, that the addresses come from, if they do.
    pub(crate) from: Option<String>,
    /// How long a broker that is not there is tried.
    pub(crate) retry: Retry,
}

/// Which broker something is done on that leaves nothing behind.
#[derive(Clone, Debug, Default)]
pub(crate) enum BrokerChoice {
    /// An embedded one, of its own.
    #[default]
    Embedded,
    /// The first of these that answers.
    Broker(Vec<Address>),
}

impl From<Vec<Address>> for BrokerChoice {
    /// An embedded one, if there are none.
    fn from(addresses: Vec<Address>) -> Self {
        if addresses.is_empty() { Self::Embedded } else { Self::Broker(addresses) }
    }
}

/// The port that images of `RabbitMQ` and the embedded broker listen on.
const USUAL_PORT: u16 = 5672;

impl Target {
    /// Connects for `purpose`. What happens to the connection, and on it, is written to the log.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Arc<ReconnectingConnection>, Failure> {
        self.connect_observed(purpose, Arc::new(LogObserver::default())).await
    }

    /// The same, told to `observer` instead.
    pub(crate) async fn connect_observed(
        &self,
        purpose: &str,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<ReconnectingConnection>, Failure> {
        let connection = ReconnectingConnection::new(self.addresses.clone(), purpose, self.retry, observer);
        connection.connection().await.map_err(|error| self.unreachable(&error))?;
        Ok(Arc::new(connection))
    }

    /// What it means that there is no connection, and what to do about it.
    pub(crate) fn unreachable(&self, error: &ConnectError) -> Failure {
        let (status, advice) = match error.obstacle() {
            Obstacle::Absence => (Status::Unavailable, self.advice()),
            Obstacle::NotABroker => (Status::Unavailable, self.say_where()),
            // These say themselves what to do.
            Obstacle::System => (Status::System, String::new()),
            Obstacle::Unready | Obstacle::Distrust => (Status::Unavailable, String::new()),
            Obstacle::Refusal | Obstacle::Setting => (Status::BadConfiguration, String::new()),
        };
        Failure::new(status, format!("{error}\n{advice}").trim_end().to_owned())
    }

    /// The URLs that another command has to be given to reach the same broker, without passwords; none where it finds it
    /// without.
    pub(crate) fn to_give(&self) -> Vec<String> {
        let is_found = self.from.is_some() || self.addresses.iter().all(is_usual);
        let given = self.addresses.iter().filter(|_| !is_found);
        given.map(Address::without_password).collect()
    }

    /// What to do where there is no broker.
    fn advice(&self) -> String {
        let start = match self.addresses.iter().find_map(startable) {
            Some(address) => {
                let (port, listen) = (address.port(), listen(address));
                let docker = format!("docker run --rm -p {port}:{USUAL_PORT} rabbitmq:4");
                let broker = format!("loghost broker{listen}");
                format!(
                    "start one, and try again:\n  {docker:<44}(RabbitMQ)\n  {broker:<44}(in memory, for development)\nor"
                )
            }
            None => "start it, or".to_owned(),
        };
        format!("{start} {}", self.say_where())
    }

    fn say_where(&self) -> String {
        let correct =
            self.from.as_ref().map(|from| format!("correct {from}, which this URL comes from, or give "));
        let correct = correct.unwrap_or_default();
        format!("say where it is: {correct}--broker amqp://user:password@host:port/vhost")
    }
}

/// Where a new broker would have to listen to be the one at this address, if it can be: on this machine, without
/// TLS, with the user and the virtual host that every new one has.
fn startable(address: &Address) -> Option<SocketAddr> {
    let access = address.access();
    let is_new = (access.user, access.password, access.vhost) == ("guest", "guest", "/");
    let host = if access.host == "localhost" { "127.0.0.1" } else { access.host.trim_matches(['[', ']']) };
    let host: IpAddr = host.parse().ok()?;
    (is_new && host.is_loopback() && !access.is_encrypted && !address.is_of_management())
        .then_some((host, access.port).into())
}

/// Whether this is the broker that a command uses that is not told of any.
fn is_usual(address: &Address) -> bool {
    startable(address) == Some(SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT)))
}

/// How the embedded broker is told to listen there.
fn listen(address: SocketAddr) -> String {
    if address == SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT)) {
        String::new()
    } else {
        format!(" --listen {address}")
    }
}

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
