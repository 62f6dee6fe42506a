//! Why there is no connection, for each address that was tried, and whether that may pass.

use std::collections::HashSet;
use std::time::Duration;

use lapin::ErrorKind;
use loghost_system::Refusal;

use crate::connection::address::Address;
use crate::connection::advice::hint;
use crate::connection::fault::{is_passing, reason};
use crate::connection::handshake;
use crate::connection::tls::TlsFileError;

/// Why there is no connection: for each address in turn.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{}{}",
    .failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    .tried_for.map(|time| format!(" (tried for {})", humantime::format_duration(time))).unwrap_or_default()
)]
pub struct ConnectError {
    failures: Vec<NoConnection>,
    /// How long it was tried.
    tried_for: Option<Duration>,
}

/// Why there is none to one address.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoConnection {
    /// There was one, which is lost.
    #[error("lost the connection to the broker at {0}: {1}{hint}", hint = hint(.1))]
    Lost(Address, String),
    /// A broker refused the connection.
    #[error("the broker at {0} refused: {1}{hint}", hint = hint(.1))]
    Refused(Address, String),
    /// A broker answered, and accepts no connection at the moment: it starts, shuts down, or has reached a limit.
    #[error("the broker at {0} is not ready: {1}{hint}", hint = hint(.1))]
    NotReady(Address, String),
    /// Nothing listens there, as far as is known.
    #[error("no broker at {0}: {1}{port}", port = port_hint(.0))]
    NoBroker(Address, String),
    /// Something listens that does not answer, or not as a broker does.
    #[error("no AMQP broker answers at {0}: {1}{port}", port = port_hint(.0))]
    NotABroker(Address, String),
    /// The operating system of this host refuses a connection.
    #[error("cannot connect to the broker at {0}: {1}: {2}")]
    System(Address, String, Refusal),
    /// One side does not accept the other's certificate.
    #[error("no secure connection to {0}: {1}")]
    Distrust(Address, String),
    /// The files for TLS cannot be used.
    #[error("no secure connection to {0}: {1}")]
    BadFile(Address, TlsFileError),
}

/// Where a broker is instead, if the port is the usual one of something else.
fn port_hint(address: &Address) -> &'static str {
    if address.is_of_management() {
        "; this is the port of RabbitMQ's management plugin, and that of AMQP is usually 5672, or 5671 with TLS"
    } else {
        ""
    }
}

/// What prevents a connection, ordered by how much it takes to remove; only the first four may pass without anybody
/// doing something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// There is no broker.
    Absence,
    /// Something else is at its address, or what is there does not answer.
    NotABroker,
    /// There is one, which accepts no connection at the moment.
    Unready,
    /// The operating system of this host opens no more files.
    System,
    /// There is a broker, and it refuses this user or has no such virtual host.
    Refusal,
    /// The broker's certificate is not trusted, or the broker does not trust this side's.
    Distrust,
    /// The settings of TLS cannot be used.
    Setting,
}

impl Obstacle {
    /// Whether it lasts until somebody does something.
    pub(crate) fn is_lasting(self) -> bool {
        self > Self::System
    }
}

impl NoConnection {
    /// What it means that connecting to `address` has ended with `error`.
    pub(crate) fn of(address: &Address, error: &lapin::Error) -> Self {
        let tls = address.tls();
        let address = address.clone();
        let failed = match error.kind() {
            ErrorKind::IOError(error) => Some(error),
            _ => None,
        };
        if let Some(why) = tls.zip(failed).and_then(|(tls, error)| handshake::distrust(error, tls)) {
            Self::Distrust(address, why)
        } else if let Some(refusal) = Refusal::behind(error) {
            Self::System(address, reason(error), refusal)
        } else if is_passing(error) {
            Self::NotReady(address, reason(error))
        } else if error.is_amqp_error() {
            Self::Refused(address, reason(error))
        } else if let Some(why) = handshake::no_broker(error, tls) {
            Self::NotABroker(address, why)
        } else {
            Self::NoBroker(address, reason(error))
        }
    }

    /// What kind of failure it is.
    pub(crate) fn obstacle(&self) -> Obstacle {
        match self {
            Self::NoBroker(..) | Self::Lost(..) => Obstacle::Absence,
            Self::NotABroker(..) => Obstacle::NotABroker,
            Self::NotReady(..) => Obstacle::Unready,
            Self::System(..) => Obstacle::System,
            Self::Refused(..) => Obstacle::Refusal,
            Self::Distrust(..) => Obstacle::Distrust,
            Self::BadFile(..) => Obstacle::Setting,
        }
    }

    /// Whether it passes, or has not been `said`.
    pub(crate) fn is_news(&self, said: &mut HashSet<String>) -> bool {
        !self.obstacle().is_lasting() || said.insert(self.to_string())
    }
}

impl ConnectError {
    /// No connection, for each address in turn.
    pub(crate) fn new(failures: Vec<NoConnection>) -> Self {
        Self { failures, tried_for: None }
    }

    /// The same error, after it was tried for so long.
    pub(crate) fn after(self, tried_for: Duration) -> Self {
        Self { tried_for: Some(tried_for), ..self }
    }

    /// What prevents it; with several addresses, what it takes least to remove: one of them is enough.
    pub fn obstacle(&self) -> Obstacle {
        self.failures.iter().map(NoConnection::obstacle).min().unwrap_or(Obstacle::Absence)
    }

    /// Whether a broker refuses this user, or has no such virtual host: trying again would not help.
    pub fn is_refusal(&self) -> bool {
        self.obstacle() == Obstacle::Refusal
    }

    /// What there is to say while it is tried again: a failure that lasts is said once.
    pub(crate) fn news(&self, said: &mut HashSet<String>) -> String {
        let news = self.failures.iter().filter(|failure| failure.is_news(said));
        news.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}
