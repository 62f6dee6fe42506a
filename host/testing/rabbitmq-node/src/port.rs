//! Ports and addresses that can be had again.

use std::net::{Ipv4Addr, TcpListener};

/// Where clients look for the stream protocol.
pub(crate) const STREAM_PORT: u16 = 5552;

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

/// An address of this machine that nobody else uses, so that each node of a cluster can have the usual ports.
pub(crate) fn free_address() -> Ipv4Addr {
    loop {
        let [second, third, last] = [(); 3].map(|()| fastrand::u8(1..255));
        let address = Ipv4Addr::new(127, second, third, last);
        if TcpListener::bind((address, STREAM_PORT)).is_ok() {
            return address;
        }
    }
}
