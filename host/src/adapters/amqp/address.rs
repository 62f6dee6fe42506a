//! Where a broker is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};

/// The URL of a broker. What it shows of itself never includes the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address(AMQPUri);

/// A text that is no broker's URL. The text itself may hold a password, and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: expected amqp://user:password@host:port/vhost, such as amqp://guest:guest@127.0.0.1:5672/%2f")]
pub(crate) struct AddressError(String);

impl Address {
    /// The URI for the client.
    pub(super) fn uri(&self) -> AMQPUri {
        self.0.clone()
    }

    /// How long connecting may take: the URL's `connection_timeout` in milliseconds, or 5 seconds.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.0.query.connection_timeout.unwrap_or(5000))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| AddressError("no scheme".to_owned()))?;
        // A `/` in a password ends it early, and what follows would be shown as the host's or the path.
        if rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(['/', '?', '#'])) {
            let reason =
                format!("{scheme}: a `/`, `?` or `#` in a user or password is written %2F, %3F or %23");
            return Err(AddressError(reason));
        }
        let mut uri: AMQPUri = text.parse().map_err(AddressError)?;
        // A URL without a path means the default virtual host, and one that ends in a slash is meant to.
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.0.scheme {
            AMQPScheme::AMQP => "amqp",
            AMQPScheme::AMQPS => "amqps",
        };
        let authority = &self.0.authority;
        let vhost = if self.0.vhost == "/" { "%2f" } else { &self.0.vhost };
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
    fn no_path_means_the_default_virtual_host() {
        for url in ["amqp://localhost", "amqp://localhost/", "amqp://localhost/%2f"] {
            assert_eq!(url.parse::<Address>().unwrap().to_string(), "amqp://guest@localhost:5672/%2f");
        }
    }
}
