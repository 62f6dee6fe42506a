//! A proxy in front of a broker that delivers late, and answers at once.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::gate::copy;
use super::relay::authority;

/// The beginnings of methods of AMQP 0-9-1: `basic.deliver` and `channel.close-ok`.
const DELIVER: &[u8] = &[0, 60, 0, 60];
const CLOSED: &[u8] = &[0, 20, 0, 41];

/// The type of a frame with a method; others are of heartbeats and of the content of messages.
const METHOD: u8 = 1;
const HEARTBEAT: u8 = 8;

/// How long messages are on their way.
#[derive(Clone, Copy)]
pub(crate) struct Delays {
    /// The first so many of a channel...
    pub(crate) first: usize,
    /// ...take this long,
    pub(crate) soon: Duration,
    /// and the others this.
    pub(crate) late: Duration,
}

/// Passes on what goes to a broker and its answers, and its deliveries only after some time.
pub(crate) struct Slow(SocketAddr);

impl Slow {
    /// In front of the broker of this URL.
    pub(crate) fn before(url: &str, delays: Delays) -> Self {
        let broker = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for host in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(&broker) else { return };
                let pair = |stream: &TcpStream| stream.try_clone().expect("a handle");
                let (from, to, host) = (pair(&host), pair(&broker), Arc::new(Mutex::new(host)));
                thread::spawn(move || copy(from, to, |_| ControlFlow::Continue(())));
                thread::spawn(move || {
                    // Either side may go at any time.
                    let _ = pass_on(broker, &host, delays);
                    lock(&host).shutdown(Shutdown::Both)
                });
            }
        });
        Self(address)
    }

    /// The URL through which it is reached.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replace(authority(url), &self.0.to_string())
    }
}

/// A message on its way, or a part of it.
struct Part {
    channel: [u8; 2],
    delay: Duration,
    at: Instant,
    frame: Vec<u8>,
}

/// Passes on frames of a broker until the end.
fn pass_on(mut broker: TcpStream, host: &Arc<Mutex<TcpStream>>, delays: Delays) -> io::Result<()> {
    let waiting = Arc::<Mutex<Vec<Part>>>::default();
    let (parts, to) = (Arc::downgrade(&waiting), Arc::clone(host));
    thread::spawn(move || deliver(&parts, &to));
    let mut delivered = BTreeMap::<[u8; 2], usize>::new();
    loop {
        let mut frame = vec![0; 7];
        broker.read_exact(&mut frame)?;
        let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]);
        // With the byte that ends it.
        Read::take(&broker, u64::from(size) + 1).read_to_end(&mut frame)?;
        let (kind, channel) = (frame[0], [frame[1], frame[2]]);
        let is = |method: &[u8]| kind == METHOD && frame[7..].starts_with(method);
        let mut waiting = lock(&waiting);
        if is(CLOSED) {
            // Nothing comes behind that.
            delivered.remove(&channel);
            waiting.retain(|part| part.channel != channel);
        }
        if is(DELIVER) {
            *delivered.entry(channel).or_default() += 1;
        } else if kind == METHOD || kind == HEARTBEAT {
            lock(host).write_all(&frame)?;
            continue;
        }
        let is_first = delivered.get(&channel).is_some_and(|messages| *messages <= delays.first);
        let delay = if is_first { delays.soon } else { delays.late };
        // What a broker sends at once comes at once: no answer to a later question comes between.
        let together = waiting.iter().find(|part| part.channel == channel && part.delay == delay);
        let at = together.map_or_else(|| Instant::now() + delay, |part| part.at);
        waiting.push(Part { channel, delay, at, frame });
    }
}

/// Delivers what waits, each at its time, as long as more may come.
fn deliver(waiting: &Weak<Mutex<Vec<Part>>>, host: &Mutex<TcpStream>) {
    while let Some(waiting) = waiting.upgrade() {
        let now = Instant::now();
        // Until it is written, nothing is to be said behind it.
        let mut waiting = lock(&waiting);
        for Part { frame, .. } in waiting.extract_if(.., |part| part.at <= now) {
            if lock(host).write_all(&frame).is_err() {
                return;
            }
        }
        drop(waiting);
        thread::sleep(Duration::from_millis(5));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
