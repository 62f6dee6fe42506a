//! The parts of a broker's URL, by RFC 3986 and RabbitMQ's URI specification.
//!
//! A browser's rules repair what is wrong with a URL: they drop tabs, resolve dots and replace what is not
//! UTF-8. Here every part is what was written, or the URL is refused.

use lapin::uri::AMQPScheme;
use percent_encoding::percent_decode_str;

use super::host::Host;

/// What is wrong with a URL. It quotes nothing, because any part may hold a password.
pub(super) type Malformed = &'static str;

/// A URL, split.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) scheme: AMQPScheme,
    pub(super) login: Option<UserInfo>,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
    pub(super) vhost: String,
    /// What is behind the `?`, still encoded.
    pub(super) query: &'a str,
}

/// A user, and the password if there is one: an empty one is one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct UserInfo {
    pub(super) user: String,
    pub(super) password: Option<String>,
}

impl<'a> Parts<'a> {
    pub(super) fn split(text: &'a str) -> Result<Self, Malformed> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("a space is written %20, and a control character percent-encoded too");
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| no_scheme(text))?;
        let scheme = match scheme {
            scheme if scheme.eq_ignore_ascii_case("amqp") => AMQPScheme::AMQP,
            scheme if scheme.eq_ignore_ascii_case("amqps") => AMQPScheme::AMQPS,
            "http" | "https" => {
                return Err("http is for RabbitMQ's management plugin: AMQP has another port, usually 5672");
            }
            _ => return Err("the scheme is neither amqp nor amqps"),
        };
        // A `/` in a password would end it, and the rest would be shown as part of the host or the path.
        if rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(['/', '?', '#'])) {
            return Err(
                "a `/`, `?` or `#` in a user or password is written %2F, %3F or %23, and an `@` in a \
                        virtual host or a parameter %40",
            );
        }
        if rest.contains('#') {
            return Err("a `#` is written %23, and there is nothing for a fragment to mean");
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // In a password, which is before the first `@`, a comma is a comma.
        if authority.split_once('@').map_or(authority, |(_, hosts)| hosts).contains(',') {
            return Err("several brokers are given as whole URLs with commas between them, such as \
                        amqp://one:5672/vhost,amqp://two:5672/vhost");
        }
        let (login, host_and_port) = match authority.rsplit_once('@') {
            Some((login, rest)) => (Some(UserInfo::parse(login)?), rest),
            None => (None, authority),
        };
        let (host, port) = split_port(host_and_port)?;
        Ok(Self {
            scheme,
            login,
            host: Host::parse(host)?,
            port: port_of(port)?,
            vhost: vhost_of(path)?,
            query,
        })
    }
}

impl UserInfo {
    fn parse(text: &str) -> Result<Self, Malformed> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(decode(password)?)),
            None => (text, None),
        };
        Ok(Self { user: decode(user)?, password })
    }
}

fn no_scheme(text: &str) -> Malformed {
    if text.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("amqp")) {
        "`://` is missing behind amqp or amqps"
    } else {
        "no scheme"
    }
}

/// The host, and the port or nothing.
fn split_port(text: &str) -> Result<(&str, &str), Malformed> {
    match (text.rfind(']'), text.split_once(':')) {
        (Some(end), _) => {
            let (host, rest) = text.split_at(end + 1);
            match rest.strip_prefix(':') {
                Some(port) => Ok((host, port)),
                None if rest.is_empty() => Ok((host, "")),
                None => Err("there is something between an IPv6 address and its port"),
            }
        }
        (None, Some((host, port))) if port.contains(':') => {
            let is_ipv6 = host.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'[')
                && (text.contains("::") || port.matches(':').count() > 1);
            Err(if is_ipv6 {
                "an IPv6 address is written in brackets, such as [::1]:5672"
            } else {
                "there is more than one port behind the host"
            })
        }
        (None, split) => Ok(split.unwrap_or((text, ""))),
    }
}

/// None is the scheme's.
fn port_of(digits: &str) -> Result<Option<u16>, Malformed> {
    if digits.is_empty() {
        return Ok(None);
    }
    let port = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    match port.and_then(|digits| digits.parse().ok()) {
        Some(port) if port > 0 => Ok(Some(port)),
        _ => Err("the port is no number from 1 to 65535"),
    }
}

/// None, or none behind the slash, is the default one, which others write as a second slash.
fn vhost_of(path: &str) -> Result<String, Malformed> {
    let vhost = match path {
        "" | "/" => "/".to_owned(),
        path if path.contains('/') => return Err("a `/` in the name of a virtual host is written %2F"),
        path => decode(path)?,
    };
    if vhost.len() > 255 {
        return Err("the name of a virtual host is longer than 255 bytes");
    }
    Ok(vhost)
}

/// The text that percent-encoding stands for.
pub(super) fn decode(text: &str) -> Result<String, Malformed> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let broken = |(at, _)| {
        let digits = &text.as_bytes()[at + 1..];
        !is_hex(digits.first()) || !is_hex(digits.get(1))
    };
    if text.match_indices('%').any(broken) {
        return Err("a `%` is written %25 where no two hexadecimal digits follow");
    }
    let decoded =
        percent_decode_str(text).decode_utf8().map_err(|_| "what is percent-encoded is not UTF-8")?;
    // It separates the user from the password in the protocol, and ends names in system calls.
    if decoded.contains('\0') {
        return Err("%00 is part of no name or password");
    }
    Ok(decoded.into_owned())
}
