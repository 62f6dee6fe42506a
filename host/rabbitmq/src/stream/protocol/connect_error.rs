//! Why there is no connection to the streams of a broker, and what to do about it.

use std::io;
use std::time::Duration;

use loghost_core::domain::printable_line;
use loghost_system::Refusal;

use crate::connection::error::Obstacle;
use crate::connection::handshake::{self, is_closed_by_peer};
use crate::connection::tls::TlsFileError;
use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::endpoint::{Login, StreamEndpoint};
use crate::stream::protocol::error::{Loss, ProtocolError};

/// Why there is no connection to the streams of a broker.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}")]
pub struct StreamConnectError {
    kind: Box<NoStreams>,
}

/// The cause, with the address.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoStreams {
    /// Nothing listens there, as far as is known.
    #[error(
        "no listener for streams at {0}: {1}; RabbitMQ has one with its plugin rabbitmq_stream, usually at port 5552, or \
         5551 with TLS"
    )]
    NoListener(StreamEndpoint, String),
    /// Something listens that does not answer, or not as a broker does.
    #[error("no broker answers in the stream protocol at {0}: {1}")]
    NotABroker(StreamEndpoint, String),
    /// Something may listen there, and does not answer in time.
    #[error("no broker answers in the stream protocol at {0}: {1}")]
    Silent(StreamEndpoint, String),
    /// The operating system of this host refuses a connection.
    #[error("cannot connect to {0}: {1}: {2}")]
    System(StreamEndpoint, String, Refusal),
    /// One side does not accept the other's certificate.
    #[error("no secure connection to {0}: {1}")]
    Distrust(StreamEndpoint, String),
    /// The files for TLS cannot be used.
    #[error("no secure connection to {0}: {1}")]
    BadFile(StreamEndpoint, TlsFileError),
    /// The broker refuses a step of the login.
    #[error("{endpoint} refuses {step}: {code}{}", refusal_hint(endpoint, *code))]
    Refused { endpoint: StreamEndpoint, step: &'static str, code: ResponseCode },
    /// The broker closed the connection before it was open.
    #[error("{endpoint} refuses {step}: {loss}")]
    Closed { endpoint: StreamEndpoint, step: &'static str, loss: Loss },
    /// The broker does not offer the way to log in that the URL names.
    #[error(
        "{endpoint} offers {}, and not {wanted}: add it to auth_mechanisms of the broker, or name another with \
         auth_mechanism=; EXTERNAL needs the broker's plugin rabbitmq_auth_mechanism_ssl and TLS",
        printable_line(&offered.join(", "))
    )]
    NotOffered { endpoint: StreamEndpoint, wanted: &'static str, offered: Vec<String> },
    /// The stream protocol has no such way to log in.
    #[error("{address}: auth_mechanism={mechanism} cannot be used for streams, only plain and external")]
    Mechanism { address: String, mechanism: String },
    /// A host that no certificate can be for.
    #[error("no certificate can be for the host {}: name the one to expect with server_name_indication=NAME", printable_line(.0))]
    Host(String),
}

impl From<NoStreams> for StreamConnectError {
    fn from(kind: NoStreams) -> Self {
        Self { kind: Box::new(kind) }
    }
}

impl StreamConnectError {
    /// What prevents it.
    pub fn obstacle(&self) -> Obstacle {
        match &*self.kind {
            NoStreams::NoListener(..) => Obstacle::Absence,
            NoStreams::NotABroker(..) | NoStreams::Silent(..) => Obstacle::NotABroker,
            NoStreams::Closed { .. } => Obstacle::Unready,
            NoStreams::System(..) => Obstacle::System,
            NoStreams::Refused { .. } | NoStreams::NotOffered { .. } => Obstacle::Refusal,
            NoStreams::Distrust(..) => Obstacle::Distrust,
            NoStreams::BadFile(..) | NoStreams::Mechanism { .. } | NoStreams::Host(_) => Obstacle::Setting,
        }
    }

    /// Whether there is no stream protocol to be had here: nothing listens that speaks it, or the broker is too old.
    pub(crate) fn is_unsupported(&self) -> bool {
        match &*self.kind {
            NoStreams::NoListener(..) | NoStreams::NotABroker(..) => true,
            NoStreams::Closed { step, .. } => *step == VERSIONS_STEP,
            NoStreams::Refused { code, .. } => *code == ResponseCode::UnknownFrame,
            _ => false,
        }
    }

    /// No connection in the network.
    pub(crate) fn network(endpoint: &StreamEndpoint, error: &io::Error) -> Self {
        let (endpoint, reason) = (endpoint.clone(), error.to_string());
        let kind = match Refusal::of(error) {
            Some(refusal) => NoStreams::System(endpoint, reason, refusal),
            None => NoStreams::NoListener(endpoint, reason),
        };
        kind.into()
    }

    /// No TLS on a connection.
    pub(crate) fn tls(endpoint: &StreamEndpoint, error: &io::Error) -> Self {
        let distrust = endpoint.tls().and_then(|tls| handshake::distrust(error, tls));
        let (endpoint, reason) = (endpoint.clone(), error.to_string());
        let kind = match distrust {
            _ if handshake::speaks_no_tls(error) || is_closed_by_peer(error.kind()) => NoStreams::NotABroker(
                endpoint,
                format!(
                    "{reason}: this port does not speak TLS, or the broker refuses this side's; RabbitMQ's for streams \
                     with TLS is usually 5551, and a URL without TLS begins with amqp://"
                ),
            ),
            Some(why) => NoStreams::Distrust(endpoint, why),
            None => NoStreams::NotABroker(endpoint, reason),
        };
        kind.into()
    }

    /// No answer in time.
    pub(crate) fn timeout(endpoint: &StreamEndpoint, waited: Duration) -> Self {
        let waited = humantime::format_duration(waited);
        let why = format!(
            "no answer within {waited}: it is off or very busy, something else listens there, or a firewall drops what is \
             sent"
        );
        NoStreams::Silent(endpoint.clone(), why).into()
    }

    /// The connection has ended in the middle of the login.
    pub(crate) fn lost(endpoint: &StreamEndpoint, step: &'static str, loss: Loss) -> Self {
        let endpoint = endpoint.clone();
        let kind = match &loss {
            Loss::Protocol(ProtocolError::TooLong { length, .. }) => {
                NoStreams::NotABroker(endpoint, stranger(*length).unwrap_or_else(|| loss.to_string()))
            }
            Loss::Protocol(_) => NoStreams::NotABroker(endpoint, loss.to_string()),
            Loss::Ended | Loss::Network(_) if step == FIRST_STEP => {
                let tls = if endpoint.tls().is_some() { "" } else { ", a port for TLS," };
                let why = format!(
                    "{loss}: it is no listener for streams{tls} or a broker that is starting or stopping"
                );
                NoStreams::NotABroker(endpoint, why)
            }
            _ => NoStreams::Closed { endpoint, step, loss },
        };
        kind.into()
    }
}

/// What to do about a refused step of the login.
fn refusal_hint(endpoint: &StreamEndpoint, code: ResponseCode) -> &'static str {
    match (endpoint.login(), code) {
        (Login::External, ResponseCode::AuthenticationFailure | ResponseCode::SaslError) => {
            "; EXTERNAL takes the user from the client certificate: name it with certfile=FILE and keyfile=FILE, and make \
             a user of the name in it with `rabbitmqctl add_user`"
        }
        _ => code.hint(),
    }
}

/// What is refused if the very first answer does not come.
pub(crate) const FIRST_STEP: &str = "the connection";

/// What is refused if the broker is older than 3.13.
pub(crate) const VERSIONS_STEP: &str = "to agree on versions of commands";

/// What answers, by the first four bytes of it.
fn stranger(first: u32) -> Option<String> {
    let what = match &first.to_be_bytes() {
        b"AMQP" => "this is a port for AMQP",
        b"HTTP" => "this is a port for HTTP",
        // An alert of TLS.
        [21, 3, ..] => return Some("this is a port for TLS: the URL then begins with amqps://".to_owned()),
        _ => return None,
    };
    Some(format!("{what}; RabbitMQ's for streams is usually 5552, or 5551 with TLS"))
}
