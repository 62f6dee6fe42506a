//! What stands between a host and its broker, passes on what they say, and has one fault.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::TIMEOUT;

/// The header of AMQP 1.0 with SASL, and the beginning of a frame that settles.
const SASL: [u8; 8] = *b"AMQP\x03\x01\0\0";
const DISPOSITION: &[u8] = &[0, 0x53, 0x15];

/// The beginnings of methods of AMQP 0-9-1: `basic.deliver`, and `connection.close` with the code 541.
const DELIVER: &[u8] = &[0, 60, 0, 60];
const CLOSE: &[u8] = &[0, 10, 0, 50, 2, 29];

/// The fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The broker does not learn which messages a host settles through AMQP 1.0.
    Acknowledging,
    /// Connections end with 541 instead of a delivery, until the host speaks AMQP 1.0 on another one.
    Delivering,
}

/// Passes on what goes to a broker and comes of it, for as long as the test.
pub(crate) struct Relay {
    address: SocketAddr,
    acknowledgements: Receiver<()>,
}

#[derive(Clone)]
struct Way {
    fault: Fault,
    /// Whether AMQP 1.0 was spoken.
    amqp10: Arc<AtomicBool>,
    sender: Sender<()>,
}

impl Relay {
    /// Listens, before the broker of this URL.
    pub(crate) fn before(url: &str, fault: Fault) -> Self {
        let broker = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, acknowledgements) = channel();
        let way = Way { fault, amqp10: Arc::default(), sender };
        thread::spawn(move || {
            for host in listener.incoming().flatten() {
                let (broker, way) = (broker.clone(), way.clone());
                // Either side may go at any time.
                thread::spawn(move || way.connect(host, TcpStream::connect(broker)?));
            }
        });
        Self { address, acknowledgements }
    }

    /// The URL through which it is reached.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replace(authority(url), &self.address.to_string())
    }

    /// Waits until a host settles a message.
    #[track_caller]
    pub(crate) fn waits_for_an_acknowledgement(&self) {
        self.acknowledgements.recv_timeout(TIMEOUT).expect("a message is settled");
    }
}

impl Way {
    /// Passes on both ways until one side goes.
    fn connect(self, mut host: TcpStream, mut broker: TcpStream) -> io::Result<()> {
        let mut header = [0; 8];
        host.read_exact(&mut header)?;
        broker.write_all(&header)?;
        let is_amqp10 = header == SASL;
        self.amqp10.fetch_or(is_amqp10, Ordering::Relaxed);
        let (from, to) = (broker.try_clone()?, host.try_clone()?);
        let answers = self.clone();
        thread::spawn(move || answers.pass_on_answers(from, to, is_amqp10));
        let _ = self.pass_on_requests(&host, &broker, is_amqp10);
        broker.shutdown(Shutdown::Both)
    }

    fn pass_on_requests(
        &self,
        mut host: &TcpStream,
        mut broker: &TcpStream,
        is_amqp10: bool,
    ) -> io::Result<()> {
        let (mut buffer, mut holds) = (vec![0; 64 * 1024], false);
        loop {
            let bytes = match host.read(&mut buffer)? {
                0 => return Ok(()),
                length => &buffer[..length],
            };
            if self.fault == Fault::Acknowledging
                && is_amqp10
                && bytes.windows(DISPOSITION.len()).any(|window| window == DISPOSITION)
            {
                holds = true;
                let _ = self.sender.send(());
            }
            if !holds {
                broker.write_all(bytes)?;
            }
        }
    }

    fn pass_on_answers(&self, mut broker: TcpStream, mut host: TcpStream, is_amqp10: bool) -> io::Result<()> {
        if is_amqp10 || self.fault == Fault::Acknowledging {
            let _ = io::copy(&mut broker, &mut host);
            return host.shutdown(Shutdown::Both);
        }
        loop {
            let mut frame = vec![0; 7];
            broker.read_exact(&mut frame)?;
            let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]);
            // With the byte that ends it.
            Read::take(&broker, u64::from(size) + 1).read_to_end(&mut frame)?;
            if frame[0] == 1 && frame[7..].starts_with(DELIVER) && !self.amqp10.load(Ordering::Relaxed) {
                let close = [CLOSE, b"\x0eINTERNAL_ERROR\0\0\0\0"].concat();
                let size = u32::try_from(close.len()).expect("it is short");
                // The host closes its side when it has read that.
                return host.write_all(&[&[1, 0, 0][..], &size.to_be_bytes(), &close, &[0xce]].concat());
            }
            host.write_all(&frame)?;
        }
    }
}

/// The host and port of a URL.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.rsplit_once('@').expect("a user in the URL").1;
    rest.split_once('/').expect("a virtual host").0
}
