//! Where a node listens for the stream protocol, and who logs in there.

use std::fmt;
use std::time::Duration;

use lapin::uri::{AMQPUserInfo, SASLMechanism};

use crate::connection::address::{Address, encode};
use crate::connection::tls::Tls;
use crate::stream::protocol::connect_error::{NoStreams, StreamConnectError};

/// RabbitMQ's ports for the stream protocol, without TLS and with it.
pub const STREAM_PORTS: [u16; 2] = [5552, 5551];

/// Where a node listens for the stream protocol, and who logs in there. What is shown of it never includes the password.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamEndpoint {
    /// In the form for the system's resolver.
    host: String,
    port: u16,
    tls: Option<Tls>,
    login: Login,
    vhost: String,
    timeout: Duration,
    heartbeat: Option<u16>,
}

/// How this side logs in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    Plain {
        user: String,
        password: String,
    },
    /// By the client certificate.
    External,
}

impl StreamEndpoint {
    /// That of the broker at this address, at the usual port for streams. Fails if the URL names a way to log in that
    /// the stream protocol does not have.
    pub fn of(address: &Address) -> Result<Self, StreamConnectError> {
        let uri = address.uri();
        let AMQPUserInfo { username: user, password } = uri.authority.userinfo;
        let login = match uri.query.auth_mechanism {
            None | Some(SASLMechanism::Plain) => Login::Plain { user, password },
            Some(SASLMechanism::External) => Login::External,
            Some(other) => {
                let (address, mechanism) = (address.to_string(), other.to_string().to_ascii_lowercase());
                return Err(NoStreams::Mechanism { address, mechanism }.into());
            }
        };
        let tls = address.tls().cloned();
        let [plain, secure] = STREAM_PORTS;
        Ok(Self {
            host: uri.authority.host,
            port: if tls.is_some() { secure } else { plain },
            tls,
            login,
            vhost: uri.vhost,
            timeout: address.timeout(),
            heartbeat: uri.query.heartbeat,
        })
    }

    /// The same at another host and port, such as one that a node advertises. Fails if certificates are compared and none can be
    /// for this host.
    pub fn at(&self, host: &str, port: u16) -> Result<Self, StreamConnectError> {
        let tls = match &self.tls {
            Some(tls) => match tls.for_host(host) {
                None => return Err(NoStreams::Host(host.to_owned()).into()),
                tls => tls,
            },
            None => None,
        };
        Ok(Self { host: host.to_owned(), port, tls, ..self.clone() })
    }

    /// The host in the form for the system's resolver, and the port.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// How the broker is authenticated; none without TLS.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    pub(crate) fn vhost(&self) -> &str {
        &self.vhost
    }

    /// How long connecting may take. `RabbitMQ` waits for three seconds before it answers that it refuses a login.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The interval of heartbeats in seconds that the URL asks for; zero is none.
    pub(crate) fn heartbeat(&self) -> Option<u16> {
        self.heartbeat
    }
}

impl fmt::Display for StreamEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls.is_some() { "rabbitmq-stream+tls://" } else { "rabbitmq-stream://" })?;
        if let Login::Plain { user, .. } = &self.login {
            write!(f, "{}@", encode(user))?;
        }
        match self.host.split_once('%') {
            Some((address, zone)) if address.contains(':') => write!(f, "[{address}%25{}]", encode(zone))?,
            None if self.host.contains(':') => write!(f, "[{}]", self.host)?,
            _ => write!(f, "{}", encode(&self.host))?,
        }
        write!(f, ":{}/", self.port)?;
        if self.vhost == "/" { f.write_str("%2f") } else { write!(f, "{}", encode(&self.vhost)) }
    }
}

impl fmt::Debug for StreamEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<StreamEndpoint, StreamConnectError> {
        StreamEndpoint::of(&url.parse().unwrap())
    }

    #[test]
    fn it_is_beside_the_address_of_amqp_and_shows_no_password() {
        for (url, shown) in [
            ("amqp://u:s3cret@h:1/v", "rabbitmq-stream://u@h:5552/v"),
            ("amqps://u:s3cret@h/%2f", "rabbitmq-stream+tls://u@h:5551/%2f"),
            ("amqps://h?auth_mechanism=external", "rabbitmq-stream+tls://h:5551/%2f"),
            ("amqp://[::1]/v%2Fw", "rabbitmq-stream://guest@[::1]:5552/v%2Fw"),
            ("amqp://[fe80::1%25eth0]", "rabbitmq-stream://guest@[fe80::1%25eth0]:5552/%2f"),
        ] {
            let endpoint = of(url).unwrap();
            assert_eq!((endpoint.to_string(), format!("{endpoint:?}")), (shown.to_owned(), shown.to_owned()));
        }
    }

    #[test]
    fn another_node_has_a_certificate_of_its_own() {
        let name =
            |endpoint: &StreamEndpoint| endpoint.tls().map(|tls| tls.server_name.to_str().into_owned());
        let endpoint = of("amqps://h").unwrap();
        let other = endpoint.at("other", 9).unwrap();
        assert_eq!((name(&other).as_deref(), other.host_and_port()), (Some("other"), ("other", 9)));
        assert!(endpoint.at("no name", 9).is_err());
        let named = of("amqps://h?server_name_indication=n").unwrap();
        assert_eq!(name(&named.at("other", 9).unwrap()).as_deref(), Some("n"));
        assert_eq!(
            of("amqp://h").unwrap().at("::1", 9).unwrap().to_string(),
            "rabbitmq-stream://guest@[::1]:9/%2f"
        );
    }

    #[test]
    fn what_the_protocol_does_not_have_is_refused() {
        let error = of("amqp://u:s3cret@h?auth_mechanism=amqplain").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("amqplain") && text.contains("amqp://u@h:5672") && !text.contains("s3cret"),
            "{text}"
        );
    }
}
