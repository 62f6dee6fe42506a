//! Ports that can be had again.

use std::net::{Ipv4Addr, TcpListener};

/// A port that nobody listens on, and that nobody is given by the system: one that is, as the near end of
/// some connection, would be taken when a node that was killed wants it back.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
