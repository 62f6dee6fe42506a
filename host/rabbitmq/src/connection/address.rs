//! The URL of a broker.

mod host;
mod parameters;
mod parts;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use host::Host;
use lapin::uri::{AMQPAuthority, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use loghost_core::domain::printable_line;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use crate::connection::tls::{Tls, TlsFileError};
pub(crate) use parameters::{ParameterError, Parameters};
use parts::{Parts, UserInfo};

/// The URL of a broker. What is shown of it never includes the password, and is the address that is connected to.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    host: Host,
    uri: AMQPUri,
    /// How the broker is authenticated; none without TLS.
    tls: Option<Tls>,
}

/// Host and user: what the other interfaces of the same broker have in common with this one.
pub struct Access<'a> {
    /// In the form that it has in a URL.
    pub host: String,
    pub port: u16,
    pub user: &'a str,
    pub password: &'a str,
    pub vhost: &'a str,
    pub is_encrypted: bool,
    /// The file of the certificate authorities to trust, if it names one.
    pub authorities: Option<&'a Path>,
}

/// A text that is no broker's URL. The text may contain a password, and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL of a broker.
    #[error(
        "{0}: expected amqp://user:password@host:port/vhost, such as amqp://guest:guest@127.0.0.1:5672/%2f"
    )]
    Url(&'static str),
    /// It begins with a quote. What is shown ends in what is behind the password.
    #[error("the value is {0}, of which the quotes are a part: leave them out")]
    Quoted(String),
    /// A parameter is wrong.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// The default user, and its password.
const GUEST: &str = "guest";

/// What others put around a value.
const QUOTES: [char; 7] = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];

impl Address {
    /// The URL as it was given, with the password: must not be shown.
    pub fn secret(&self) -> &str {
        &self.text
    }

    /// The URL as it was given, but for the password, unless that is the one that every new broker has.
    pub fn without_password(&self) -> String {
        let user_info = &self.uri.authority.userinfo;
        let is_of_all = (&*user_info.username, &*user_info.password) == (GUEST, GUEST);
        let parts =
            self.text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)));
        match parts {
            Some((scheme, (login, rest))) if !is_of_all => {
                let user = login.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{rest}")
            }
            _ => self.text.clone(),
        }
    }

    /// Reads a URL whose user has this password, if it has a user and no password.
    pub fn with_password(text: &str, password: &str) -> Result<Self, AddressError> {
        let is_without =
            Parts::split(text).is_ok_and(|parts| parts.login.is_some_and(|login| login.password.is_none()));
        match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
            Some((scheme, (user, rest))) if is_without => {
                format!("{scheme}://{user}:{}@{rest}", encode(password)).parse()
            }
            _ => text.parse(),
        }
    }

    /// The URI for the client.
    pub(crate) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }

    /// Host and user.
    pub fn access(&self) -> Access<'_> {
        let AMQPUri { authority, vhost, .. } = &self.uri;
        Access {
            host: self.host.to_string(),
            port: authority.port,
            user: &authority.userinfo.username,
            password: &authority.userinfo.password,
            vhost,
            is_encrypted: self.tls.is_some(),
            authorities: self.tls.as_ref().and_then(|tls| tls.authorities.as_deref()),
        }
    }

    /// Whether the port is the usual one of the management API, with or without TLS.
    pub fn is_of_management(&self) -> bool {
        matches!(self.uri.authority.port, 15671 | 15672)
    }

    /// Reads the files of certificates and keys that it names, as each connection does.
    ///
    /// # Errors
    ///
    /// What is wrong with one of them, or with the authorities of the system where it names none.
    pub fn check_certificates(&self) -> Result<(), TlsFileError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.connector().map(drop))
    }

    /// The parameters of TLS, if the scheme is that of TLS.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// How long connecting may take: the URL's `connection_timeout` in milliseconds, or 5 seconds.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.uri.query.connection_timeout.unwrap_or(5000))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(quote) = text.chars().next().filter(|first| QUOTES.contains(first)) {
            let behind = text.rfind('@').unwrap_or(text.trim_end_matches(QUOTES).len());
            let shown = format!("{quote}...{}", &text[behind..]);
            return Err(AddressError::Quoted(printable_line(&shown).into_owned()));
        }
        let Parts { scheme, login, host, port, vhost, query } =
            Parts::split(text).map_err(AddressError::Url)?;
        let parameters = Parameters::parse(query)?;
        let query = parameters.for_client()?;
        let tls = match scheme {
            AMQPScheme::AMQPS => Some(Tls::parse(&parameters, &host.to_certify())?),
            AMQPScheme::AMQP => Tls::must_be_absent(&parameters).map(|()| None)?,
        };
        let userinfo = user_info(login, names_user(query.auth_mechanism)).map_err(AddressError::Url)?;
        let port = port.unwrap_or_else(|| scheme.default_port());
        let authority = AMQPAuthority { userinfo, host: host.to_resolve(), port };
        let uri = AMQPUri { scheme, authority, vhost, query };
        Ok(Self { text: text.to_owned(), host, uri, tls })
    }
}

/// The user and password. The default is both together, never one of them.
fn user_info(login: Option<UserInfo>, is_sent: bool) -> Result<AMQPUserInfo, &'static str> {
    let guest = || UserInfo { user: GUEST.to_owned(), password: Some(GUEST.to_owned()) };
    let UserInfo { user, password } = login.unwrap_or_else(guest);
    match password {
        None if is_sent => Err("a user without a password, of which an empty one is written user:@host"),
        password => Ok(AMQPUserInfo { username: user, password: password.unwrap_or_default() }),
    }
}

/// Whether logging in this way names a user to the broker.
fn names_user(mechanism: Option<SASLMechanism>) -> bool {
    !matches!(mechanism, Some(SASLMechanism::External | SASLMechanism::Anonymous))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, query } = &self.uri;
        write!(f, "{scheme}://")?;
        if names_user(query.auth_mechanism) {
            write!(f, "{}@", encode(&authority.userinfo.username))?;
        }
        write!(f, "{}:{}/", self.host, authority.port)?;
        if vhost == "/" { f.write_str("%2f") } else { write!(f, "{}", encode(vhost)) }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Percent-encoded, for a part of a URL.
pub(crate) fn encode(text: &str) -> PercentEncode<'_> {
    /// All characters but those that RFC 3986 calls unreserved.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ENCODED)
}
