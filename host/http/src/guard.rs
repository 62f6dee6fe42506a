//! Who is answered. Without a token, a web page of somebody else must not be able to ask through the browser of whoever
//! reads it: a name that the page's owner has pointed to this machine (DNS rebinding) is in `Host`, and refused.

use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, HOST};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, StatusCode, Uri};

use crate::token::Token;

/// What a request may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    All,
    /// Whether the host is alive and ready, and nothing else: a token is needed, and not known.
    Status,
}

/// What a request may see, or with which status it is refused, and why.
pub(crate) fn access(
    uri: &Uri,
    headers: &HeaderMap,
    token: Option<&Token>,
) -> Result<Access, (StatusCode, &'static str)> {
    let mut hosts = headers.get_all(HOST).iter();
    let bad = (StatusCode::BAD_REQUEST, "expected one header Host");
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(bad) };
    let host: Authority = host.to_str().ok().and_then(|host| host.parse().ok()).ok_or(bad)?;
    // What stands in the request line goes before the header.
    let host = uri.authority().unwrap_or(&host);
    match token {
        // No page of another knows it.
        Some(token) if token.is_known_by(headers.get(AUTHORIZATION).map(AsRef::as_ref)) => Ok(Access::All),
        Some(_) => Ok(Access::Status),
        None if is_of_this_machine(host) => Ok(Access::All),
        None => Err((
            StatusCode::MISDIRECTED_REQUEST,
            "without a token, this is reached as localhost or by an IP address, and by no other name",
        )),
    }
}

/// Whether nobody else can have pointed this name to this machine.
fn is_of_this_machine(host: &Authority) -> bool {
    let name = host.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    !host.as_str().contains('@')
        && (address.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(uri: &str, hosts: &[&str], expected: Result<Access, u16>) {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_str(host).expect("a header"));
        }
        let found = access(&uri.parse().expect("a URI"), &headers, None);
        assert_eq!(found.map_err(|(status, _)| status.as_u16()), expected, "{uri} {hosts:?}");
    }

    #[test]
    fn a_name_of_somebody_else_is_refused() {
        check("/", &["127.0.0.1:9090"], Ok(Access::All));
        check("/", &["[::1]:9090"], Ok(Access::All));
        check("/", &["LocalHost"], Ok(Access::All));
        check("/", &["localhost.evil.example:9090"], Err(421));
        check("/", &["evil.example"], Err(421));
        check("/", &["127.0.0.1.evil.example"], Err(421));
        check("/", &["127.0.0.1@evil.example"], Err(421));
        check("http://evil.example/", &["127.0.0.1:9090"], Err(421));
        check("/", &[], Err(400));
        check("/", &[""], Err(400));
        check("/", &["127.0.0.1", "evil.example"], Err(400));
    }

    #[test]
    fn without_the_token_only_the_status_is_seen() {
        let token = Token::new(b"0123456789abcdef").expect("a token");
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("loghost.example"));
        let uri = Uri::from_static("/metrics");
        assert_eq!(access(&uri, &headers, Some(&token)), Ok(Access::Status));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer 0123456789abcdef"));
        assert_eq!(access(&uri, &headers, Some(&token)), Ok(Access::All));
    }
}
