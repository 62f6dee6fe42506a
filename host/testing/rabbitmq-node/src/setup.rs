//! How a node differs from the usual.

/// How a node differs from the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'a> {
    /// More lines for its `rabbitmq.conf`.
    pub config: &'a str,
    /// The plugins it has, with commas between.
    pub plugins: &'a str,
}

/// What has a node's management plugin listen on a port of this machine.
pub fn management(port: u16) -> String {
    format!("management.tcp.port = {port}\nmanagement.tcp.ip = 127.0.0.1")
}
