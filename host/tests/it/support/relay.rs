//! What stands between a host and its broker, passes on what they say, and has one fault.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::TIMEOUT;

/// The header of AMQP 1.0 with SASL, and the beginning of a frame that settles.
const SASL: [u8; 8] = *b"AMQP\x03\x01\0\0";
const DISPOSITION: &[u8] = &[0, 0x53, 0x15];

/// The beginnings of methods of AMQP 0-9-1: `basic.qos` with no size, `basic.deliver`, and `connection.close` with the code 541.
const QOS: &[u8] = &[0, 60, 0, 10, 0, 0, 0, 0];
const DELIVER: &[u8] = &[0, 60, 0, 60];
const CLOSE: &[u8] = &[0, 10, 0, 50, 2, 29];

/// The fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The broker does not learn which messages a host settles through AMQP 1.0.
    Acknowledging,
    /// Connections end with 541 instead of a delivery, until the host speaks AMQP 1.0 on another one.
    Delivering,
    /// The connection ends with 541 instead of the delivery behind so many, once.
    DeliveringOnce(u32),
}

/// Passes on what goes to a broker and comes of it, for as long as the test.
pub(crate) struct Relay {
    address: SocketAddr,
    acknowledgements: Receiver<()>,
    prefetches: Arc<Mutex<Vec<u16>>>,
}

#[derive(Clone)]
struct Way {
    fault: Fault,
    /// Whether AMQP 1.0 was spoken.
    amqp10: Arc<AtomicBool>,
    /// How many deliveries have come.
    deliveries: Arc<AtomicU32>,
    sender: Sender<()>,
    prefetches: Arc<Mutex<Vec<u16>>>,
}

impl Relay {
    /// Listens, before the broker of this URL.
    pub(crate) fn before(url: &str, fault: Fault) -> Self {
        let broker = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, acknowledgements) = channel();
        let prefetches = Arc::default();
        let asked = Arc::clone(&prefetches);
        let way = Way { fault, amqp10: Arc::default(), deliveries: Arc::default(), sender, prefetches };
        thread::spawn(move || {
            for host in listener.incoming().flatten() {
                let (broker, way) = (broker.clone(), way.clone());
                // Either side may go at any time.
                thread::spawn(move || way.connect(host, TcpStream::connect(broker)?));
            }
        });
        Self { address, acknowledgements, prefetches: asked }
    }

    /// The URL through which it is reached.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replace(authority(url), &self.address.to_string())
    }

    /// How many messages hosts have asked for ahead, in the order in which they have, for each consumer.
    pub(crate) fn prefetches(&self) -> Vec<u16> {
        self.prefetches.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            self.prefetches.lock().unwrap_or_else(PoisonError::into_inner).extend(prefetches(bytes));
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
            if frame[0] == 1 && frame[7..].starts_with(DELIVER) && self.ends_instead() {
                let close = [CLOSE, b"\x0eINTERNAL_ERROR\0\0\0\0"].concat();
                let size = u32::try_from(close.len()).expect("it is short");
                // The host closes its side when it has read that.
                return host.write_all(&[&[1, 0, 0][..], &size.to_be_bytes(), &close, &[0xce]].concat());
            }
            host.write_all(&frame)?;
        }
    }

    /// Whether the connection ends instead of this delivery.
    fn ends_instead(&self) -> bool {
        match self.fault {
            Fault::DeliveringOnce(before) => self.deliveries.fetch_add(1, Ordering::Relaxed) == before,
            _ => !self.amqp10.load(Ordering::Relaxed),
        }
    }
}

/// How many messages are asked for ahead. Each time takes a frame of a few bytes, which comes in one piece.
fn prefetches(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let after = bytes.windows(QOS.len() + 2).filter_map(|window| window.strip_prefix(QOS));
    after.map(|number| u16::from_be_bytes([number[0], number[1]]))
}

/// The host and port of a URL.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.rsplit_once('@').expect("a user in the URL").1;
    rest.split_once('/').expect("a virtual host").0
}
