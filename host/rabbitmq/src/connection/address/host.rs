//! The host of a URL.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::parts::{Malformed, decode};

/// A name that the system resolves, or an IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    V4(Ipv4Addr),
    /// With the network interface of a link-local address.
    V6(Ipv6Addr, Option<String>),
}

impl Host {
    /// Parses what a URL has between the user and the port. An international name is converted to ASCII. Without a host it is
    /// this machine, as RabbitMQ's specification leaves that to clients.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Ok(Self::Name("localhost".to_owned()));
        }
        if let Some(literal) = text.strip_prefix('[') {
            return Self::literal(literal.strip_suffix(']').ok_or("no IPv6 address in the brackets")?);
        }
        decode(text)?;
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) => Ok(Self::Name(name)),
            Ok(url::Host::Ipv4(address)) => Ok(Self::V4(address)),
            Ok(url::Host::Ipv6(_)) | Err(_) => Err("the host is neither a name nor an address"),
        }
    }

    /// An IPv6 address, with its zone (RFC 6874) if it has one.
    fn literal(text: &str) -> Result<Self, Malformed> {
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => {
                let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty());
                let zone = zone.ok_or("the zone of an IPv6 address is written like [fe80::1%25eth0]")?;
                (address, Some(decode(zone)?))
            }
            None => (text, None),
        };
        let address = address.parse().map_err(|_| "no IPv6 address in the brackets")?;
        Ok(Self::V6(address, zone))
    }

    /// In the form for the system's resolver.
    pub(super) fn to_resolve(&self) -> String {
        match self {
            Self::V6(address, Some(zone)) => format!("{address}%{zone}"),
            host => host.to_certify(),
        }
    }

    /// In the form that it has in certificates, without a zone.
    pub(super) fn to_certify(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::V4(address) => address.to_string(),
            Self::V6(address, _) => address.to_string(),
        }
    }
}

impl fmt::Display for Host {
    /// In the form that it has in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address, None) => write!(f, "[{address}]"),
            Self::V6(address, Some(zone)) => write!(f, "[{address}%25{}]", super::encode(zone)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_resolved_certified_and_shown_each_in_its_form() {
        for (text, resolved, certified, shown) in [
            ("", "localhost", "localhost", "localhost"),
            ("Broker.Example", "broker.example", "broker.example", "broker.example"),
            ("rabbit_mq", "rabbit_mq", "rabbit_mq", "rabbit_mq"),
            ("ho%61st", "hoast", "hoast", "hoast"),
            ("bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
            (
                "b%C3%BCcher.example",
                "xn--bcher-kva.example",
                "xn--bcher-kva.example",
                "xn--bcher-kva.example",
            ),
            ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"),
            ("[2001:DB8::1]", "2001:db8::1", "2001:db8::1", "[2001:db8::1]"),
            ("[::ffff:192.0.2.1]", "::ffff:192.0.2.1", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]"),
            ("[fe80::1%25eth0]", "fe80::1%eth0", "fe80::1", "[fe80::1%25eth0]"),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((&*host.to_resolve(), &*host.to_certify()), (resolved, certified), "{text}");
            assert_eq!(host.to_string(), shown, "{text}");
            assert_eq!(Host::parse(shown), Ok(host), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "[",
            "[]",
            "[::1",
            "[::g]",
            "[127.0.0.1]",
            "[fe80::1%eth0]",
            "[fe80::1%25]",
            "[fe80::1%25%ff]",
            "[v1.a]",
            "a b",
            "a%20b",
            "a%2fb",
            "a%00b",
            "a%ffb",
            "a%b",
            "a<b",
            "1.2.3.256",
            "1.2.3.4.5",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }
}
