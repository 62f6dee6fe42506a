//! A proxy in front of the stream protocol that changes frames of a broker.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use super::gate::copy;

/// Passes on what comes of a broker, as a function leaves it.
pub(crate) struct FrameProxy {
    address: String,
}

impl FrameProxy {
    /// In front of this port. A frame begins with its length, as on the wire.
    pub(crate) fn new(port: u16, change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let change = Arc::new(change);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                let pair = |stream: &TcpStream| stream.try_clone().expect("a handle");
                let (from, to) = (pair(&client), pair(&broker));
                thread::spawn(move || copy(from, to, |_| ControlFlow::Continue(())));
                let change = Arc::clone(&change);
                thread::spawn(move || pass_on(broker, client, &*change));
            }
        });
        Self { address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

/// Passes frames on until the end, and ends both.
fn pass_on(mut from: TcpStream, mut to: TcpStream, change: &dyn Fn(&mut Vec<u8>)) {
    let mut length = [0; 4];
    while from.read_exact(&mut length).is_ok() {
        let mut frame = length.to_vec();
        frame.resize(4 + u32::from_be_bytes(length) as usize, 0);
        if from.read_exact(&mut frame[4..]).is_err() {
            break;
        }
        change(&mut frame);
        if to.write_all(&frame).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
