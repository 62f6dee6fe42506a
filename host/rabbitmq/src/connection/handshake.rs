//! Connecting, with or without TLS, and what it means when that fails.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::connection::frame_filter::FrameFilter;
use crate::connection::product::AnnouncedProduct;
use crate::connection::reactor::FilteringReactor;
use crate::connection::skip_bodies::SkipBodies;
use crate::connection::socket::Socket;
use crate::connection::tls::{AUTHORITIES, CERTIFICATE, KEY, SERVER_NAME, Tls};

/// Connects to `uri`, with TLS to a server of that name where there is a connector; what the broker says of itself is
/// in `product` afterwards.
pub(crate) async fn connect(
    uri: AMQPUri,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    (skip_bodies, product): (SkipBodies, AnnouncedProduct),
    properties: ConnectionProperties,
) -> lapin::Result<Connection> {
    let tokio = Tokio::current();
    let filtering = Runtime::new(RuntimeParts::new(tokio.clone(), FilteringReactor(tokio)));
    Connection::connector(
        uri,
        filtering,
        async move |uri, _| {
            let stream = TcpStream::connect((uri.authority.host, uri.authority.port)).await?;
            // The client writes whole frames: Nagle's algorithm would only delay them.
            stream.set_nodelay(true)?;
            let socket = match &tls {
                Some((connector, name)) => Socket::tls(connector.connect(name.clone(), stream).await?),
                None => Socket::plain(stream),
            };
            Ok(AsyncTcpStream::Plain(FrameFilter::greeted(socket, skip_bodies.clone(), product.clone())))
        },
        properties,
    )
    .await
}

/// Why one side does not accept the other's certificate, and what to do about it; none for another error.
pub(crate) fn distrust(error: &io::Error, tls: &Tls) -> Option<String> {
    match tls_error(error)? {
        Error::InvalidCertificate(problem) => Some(certificate(problem, tls)),
        Error::AlertReceived(alert) if is_about_client_certificate(*alert, tls) => {
            Some(format!("the broker {} ({alert:?})", client_certificate(tls)))
        }
        Error::InvalidMessage(_) => Some(
            "this port does not speak TLS; RabbitMQ's for TLS is 5671, and a URL without begins with amqp://"
                .to_owned(),
        ),
        _ => None,
    }
}

/// What it means if something listens and does not answer as a broker does; none if nothing does.
pub(crate) fn no_broker(error: &lapin::Error, tls: Option<&Tls>) -> Option<String> {
    match (error.kind(), tls) {
        // In TLS 1.3 this side has sent data already when the broker rejects its certificate, and the broker's alert can get
        // lost when it closes the connection.
        (ErrorKind::IOError(error), Some(tls)) if is_closed_by_peer(error.kind()) => {
            Some(format!("{error}: this is how it ends with a broker that {}", client_certificate(tls)))
        }
        (ErrorKind::IOError(error), None) if is_closed_by_peer(error.kind()) => Some(
            "it closed the connection before that was open: it is no broker, or one that is starting or stopping"
                .to_owned(),
        ),
        (ErrorKind::ParsingError(_), None) => Some(
            "what answers does not speak AMQP 0-9-1: is this a port for TLS? then the URL begins with amqps://"
                .to_owned(),
        ),
        (ErrorKind::ParsingError(_), Some(_)) => Some("what answers does not speak AMQP 0-9-1".to_owned()),
        _ => None,
    }
}

/// Whether it is how TLS ends with something that does not speak it.
pub(crate) fn speaks_no_tls(error: &io::Error) -> bool {
    matches!(tls_error(error), Some(Error::InvalidMessage(_)))
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What is wrong with the broker's certificate.
fn certificate(problem: &CertificateError, tls: &Tls) -> String {
    match problem {
        CertificateError::UnknownIssuer => match &tls.authorities {
            Some(path) => format!(
                "the broker's certificate is not signed by an authority in {AUTHORITIES} {}",
                path.display()
            ),
            None => format!(
                "the broker's certificate is not signed by an authority that this machine trusts: name the \
                 one that signed it with {AUTHORITIES}=FILE"
            ),
        },
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let others = match problem {
                CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                    presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(" and ")
                }
                _ => "no host".to_owned(),
            };
            format!(
                "the broker's certificate is for {others}, not for {}: connect to a name that it has, or say \
                 which one to expect with {SERVER_NAME}=NAME",
                tls.server_name.to_str()
            )
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the broker's certificate expired at {}: renew it", date(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let from = date(*not_before);
            format!("the broker's certificate is not valid before {from}: is this machine's clock right?")
        }
        other => format!("the broker's certificate cannot be trusted: {other}"),
    }
}

/// A name as it is, of one that is shown as `DnsName("localhost")` or `IpAddress(0::1)`.
fn bare(name: &str) -> String {
    let name = name.split_once('(').map_or(name, |(_, rest)| rest.trim_matches(['"', ')']));
    name.parse().map_or_else(|_| name.to_owned(), |address: IpAddr| address.to_string())
}

/// Whether this alert is about the client certificate, or about the lack of one.
fn is_about_client_certificate(alert: AlertDescription, tls: &Tls) -> bool {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => true,
        // Before TLS 1.3, this is the alert for a certificate that is missing.
        AlertDescription::HandshakeFailure => tls.identity.is_none(),
        _ => false,
    }
}

pub(crate) fn is_closed_by_peer(error: io::ErrorKind) -> bool {
    matches!(
        error,
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

/// What the broker requires: another client certificate, or one at all.
fn client_certificate(tls: &Tls) -> String {
    match &tls.identity {
        Some(identity) => {
            format!(
                "does not take the client certificate in {CERTIFICATE} {}",
                identity.certificate.display()
            )
        }
        None => format!("wants a client certificate: name one with {CERTIFICATE}=FILE and {KEY}=FILE"),
    }
}

fn date(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    humantime::format_rfc3339_seconds(time).to_string()
}
