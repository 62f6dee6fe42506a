//! How a node differs from the usual.

use std::net::Ipv4Addr;

/// How a node differs from the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'a> {
    /// More lines for its `rabbitmq.conf`.
    pub config: &'a str,
    /// The plugins it has, with commas between, beside those that each node of its version has.
    pub plugins: &'a str,
    /// Where it listens, if not at 127.0.0.1: at an address of its own (see [`free_address`](crate::free_address)) it can have
    /// the usual ports of the stream protocol.
    pub address: Option<Ipv4Addr>,
    /// Has it listen with TLS too.
    pub tls: Option<ServerTls<'a>>,
}

/// What a node listens with TLS by, as PEM. It asks for a client certificate of the same authority, and accepts a
/// client without one.
#[derive(Clone, Copy, Debug)]
pub struct ServerTls<'a> {
    /// The authority that has signed its certificate.
    pub authority: &'a str,
    /// Its certificate.
    pub certificate: &'a str,
    /// The key of its certificate.
    pub key: &'a str,
}

/// What has a node's management plugin listen on a port of this machine.
pub fn management(port: u16) -> String {
    format!("management.tcp.port = {port}\nmanagement.tcp.ip = 127.0.0.1")
}
