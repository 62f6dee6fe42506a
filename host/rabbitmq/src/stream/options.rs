//! How streams are declared, and where a consumer begins to read them.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

/// How long a stream keeps its logs; where nothing is said, without end.
///
/// `RabbitMQ` applies it to whole segments: something is always kept beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Logs older than this are removed (`x-max-age`, in whole seconds).
    pub age: Option<Duration>,
    /// The most bytes that a stream keeps (`x-max-length-bytes`).
    pub bytes: Option<u64>,
    /// The size of a segment, in bytes (`x-stream-max-segment-size-bytes`).
    pub segment_bytes: Option<u64>,
}

/// Where a consumer without a position begins to read a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// At the oldest log that the stream has.
    First,
    /// At the last chunk that was written.
    Last,
    /// At what is published from now on.
    #[default]
    Next,
    /// At this offset.
    Offset(u64),
    /// At the chunk of this time, in milliseconds since the Unix epoch.
    Time(u64),
}

/// As it is given: a word, an offset or a time in UTC.
impl Display for Begin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Last => f.write_str("last"),
            Self::Next => f.write_str("next"),
            Self::Offset(offset) => offset.fmt(f),
            Self::Time(millis) => {
                humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(*millis)).fmt(f)
            }
        }
    }
}

/// How the streams of a run are declared and read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// What they are declared with.
    pub retention: Retention,
    /// Where a consumer without a position begins; without it, at what the broker has stored for it, and else at the
    /// next log.
    pub begin: Option<Begin>,
    /// Where the stream protocol is spoken, if not where the broker says.
    pub address: Option<StreamAddress>,
    /// What outlasts a run of how far was read.
    pub position: StoredPosition,
    /// How many logs may be under way where the stream protocol is spoken, while they are small, if that is more than the
    /// prefetch.
    pub small_under_way: usize,
}

/// Where the stream protocol is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAddress {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What outlasts a run of how far a consumer has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoredPosition {
    /// Its book has that, or nothing has.
    #[default]
    Book,
    /// The broker stores it, where it speaks the stream protocol.
    Broker,
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address: expected HOST:PORT, such as broker.example:5552 or [::1]:5552")]
pub struct StreamAddressError(String);

impl Display for StreamAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for StreamAddress {
    type Err = StreamAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (host, port) = text.rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            let is_name = |c: char| c.is_alphanumeric() || "-._".contains(c);
            let host = match host.strip_prefix('[') {
                Some(host) => host.strip_suffix(']').filter(|host| host.parse::<Ipv6Addr>().is_ok())?,
                None => Some(host).filter(|host| !host.is_empty() && host.chars().all(is_name))?,
            };
            Some(Self { host: host.to_owned(), port })
        };
        parsed().ok_or_else(|| StreamAddressError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        let address = |text: &str| text.parse().ok().map(|StreamAddress { host, port }| (host, port));
        let expected = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(address("broker.example:5552"), expected("broker.example", 5552));
        assert_eq!(address("127.0.0.1:1"), expected("127.0.0.1", 1));
        assert_eq!(address("[::1]:5552"), expected("::1", 5552));
        for wrong in [
            "",
            "host",
            "host:",
            ":5552",
            "host:0",
            "host:65536",
            "::1:5552",
            "[::1]",
            "[h]:1",
            "u@h:1",
            "h/v:1",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
