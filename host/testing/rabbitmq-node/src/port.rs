//! Ports and addresses that can be had again.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where clients look for the stream protocol.
pub(crate) const STREAM_PORT: u16 = 5552;

/// The same with TLS.
pub(crate) const STREAM_TLS_PORT: u16 = 5551;

/// Ports that nobody is given by the system: one that is, as the near end of some connection, would be taken when a node that
/// was killed wants it back.
const PORTS: Range<u16> = 10_000..32_000;

/// A port that nobody listens on, and that this program was not given yet: a node listens on its ports only later.
pub fn free_port() -> u16 {
    static FIRST: LazyLock<u16> = LazyLock::new(|| fastrand::u16(PORTS));
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = FIRST.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + offset % (PORTS.end - PORTS.start);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// An address of this machine, in 127.0.0.0/8, that nobody else uses: there a node can have the usual ports.
pub fn free_address() -> Ipv4Addr {
    loop {
        let [second, third, last] = [(); 3].map(|()| fastrand::u8(1..255));
        let address = Ipv4Addr::new(127, second, third, last);
        if TcpListener::bind((address, STREAM_PORT)).is_ok() {
            return address;
        }
    }
}
