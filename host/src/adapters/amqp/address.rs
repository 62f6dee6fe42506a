//! Where a broker is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use loghost_core::domain::printable_line;
use url::Url;

use super::tls::{Tls, TlsParameterError};

/// The URL of a broker. What it shows of itself never includes the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    text: String,
    uri: AMQPUri,
    /// How to be sure of the other side; none where there is no TLS.
    tls: Option<Tls>,
}

/// What a URL may say behind the `?`; anything else would be ignored.
const PARAMETERS: [&str; 9] = [
    "heartbeat",
    "connection_timeout",
    "channel_max",
    "frame_max",
    "auth_mechanism",
    "cacertfile",
    "certfile",
    "keyfile",
    "server_name_indication",
];

/// A text that is no broker's URL. The text itself may hold a password, and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// It is none at all.
    #[error(
        "{0}: expected amqp://user:password@host:port/vhost, such as amqp://guest:guest@127.0.0.1:5672/%2f"
    )]
    Url(String),
    /// A parameter cannot be as it is.
    #[error(transparent)]
    Parameter(#[from] TlsParameterError),
}

impl Address {
    /// The URL as it was given, password and all: not to be shown to anybody.
    pub(crate) fn secret(&self) -> &str {
        &self.text
    }

    /// The URI for the client.
    pub(super) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }

    /// What it says of TLS, if it means TLS.
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// How long connecting may take: the URL's `connection_timeout` in milliseconds, or 5 seconds.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.uri.query.connection_timeout.unwrap_or(5000))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| AddressError::Url("no scheme".to_owned()))?;
        // A `/` in a password ends it early, and what follows would be shown as the host's or the path.
        if rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(['/', '?', '#'])) {
            let reason = format!(
                "{scheme}: a `/`, `?` or `#` in a user or password is written %2F, %3F or %23, and an `@` in \
                 a parameter %40"
            );
            return Err(AddressError::Url(reason));
        }
        let mut uri: AMQPUri = text.parse().map_err(AddressError::Url)?;
        let url: Url = text.parse().map_err(|e: url::ParseError| AddressError::Url(e.to_string()))?;
        if let Some(unknown) = url.query_pairs().map(|(key, _)| key).find(|key| !PARAMETERS.contains(&&**key))
        {
            let (unknown, known) = (printable_line(&unknown), PARAMETERS.join(", "));
            return Err(AddressError::Url(format!("no parameter is called `{unknown}`: there are {known}")));
        }
        // A URL without a path means the default virtual host, and one that ends in a slash is meant to.
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        let tls = match uri.scheme {
            AMQPScheme::AMQPS => Some(Tls::parse(&url, &uri.authority.host)?),
            AMQPScheme::AMQP => Tls::must_be_absent(&url).map(|()| None)?,
        };
        Ok(Self { text: text.to_owned(), uri, tls })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.uri.scheme {
            AMQPScheme::AMQP => "amqp",
            AMQPScheme::AMQPS => "amqps",
        };
        let authority = &self.uri.authority;
        let vhost = if self.uri.vhost == "/" { "%2f" } else { &self.uri.vhost };
        write!(f, "{scheme}://{}@{}:{}/{vhost}", authority.userinfo.username, authority.host, authority.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let address: Address = "amqp://test:s3cret@broker:5673/logs?heartbeat=5".parse().unwrap();
        assert_eq!(address.to_string(), "amqp://test@broker:5673/logs");
        assert_eq!(format!("{address:?}"), "amqp://test@broker:5673/logs");
        for wrong in [
            "amqp://test:s3cret@broker:port/",
            "http://test:s3cret@broker",
            "test:s3cret@broker",
            "amqp://test:7/s3cret@broker",
            "",
        ] {
            let error = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn parameters_of_tls_are_for_tls() {
        for (url, reason) in [
            ("amqp://broker/?cacertfile=/x/ca.pem", "cacertfile: goes with TLS, which begins with amqps://"),
            ("amqps://broker/?certfile=/x/cert.pem", "certfile: needs keyfile=FILE too"),
            ("amqps://broker/?keyfile=/x/key.pem", "keyfile: needs certfile=FILE too"),
            (
                "amqps://broker/?server_name_indication=a%20b",
                "server_name_indication: this is no host's name",
            ),
        ] {
            let error = url.parse::<Address>().unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
        let address: Address = "amqps://broker/?cacertfile=%2Fa%20b%2Fca.pem".parse().unwrap();
        assert_eq!(address.to_string(), "amqps://guest@broker:5671/%2f");
        assert_ne!(address, "amqps://broker/".parse().unwrap());
    }

    #[test]
    fn no_path_means_the_default_virtual_host() {
        for url in ["amqp://localhost", "amqp://localhost/", "amqp://localhost/%2f"] {
            assert_eq!(url.parse::<Address>().unwrap().to_string(), "amqp://guest@localhost:5672/%2f");
        }
    }
}
