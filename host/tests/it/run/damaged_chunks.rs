//! `loghost run --queue-type stream` where bytes of what the broker sends are damaged: nothing is counted wrongly, and a time or
//! an offset that no checksum covers does no harm.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::{ControlFlow, Range};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::Trial;

use super::stream_protocol::{declare, publish};
use super::streams::{counted, plugin, run};
use crate::support::broker::{Broker, Kind, on};
use crate::support::chunks::time_in;
use crate::support::cli::Signal;
use crate::support::dead_letters::list;
use crate::support::frames::FrameProxy;
use crate::support::gate::copy;
use crate::support::metrics::{counts, errors, last_of};
use crate::support::{Skip, long, needing};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        long("stream_protocol::damaged_bytes_are_never_counted", a_thousand_damaged_bytes),
        needing("stream_protocol::damaged_bytes_are_never_counted", || damaged_bytes(20)),
    ];
    for (name, body) in [
        (
            "stream_protocol::a_damaged_time_is_no_other_stream",
            a_damaged_time_is_no_other_stream as fn(&Broker),
        ),
        ("stream_protocol::a_damaged_time_dates_no_log", a_damaged_time_dates_no_log),
    ] {
        trials.extend(on([Kind::Stream], name, body));
    }
    trials
}

/// How many bytes there are between two that are damaged. What is read when a stream is opened again has to be less as a rule:
/// that is the last chunk, three times.
const DISTANCE: Range<u64> = 100_000..400_000;

/// What becomes of bytes on their way.
#[derive(Clone, Copy)]
enum Damage {
    /// One is another one.
    Flip,
    /// Some do not come.
    Drop,
    /// Some come twice.
    Repeat,
    /// The connection ends with them.
    Cut,
}

impl Damage {
    /// Each in turn.
    fn of(number: u64) -> Self {
        match number % 4 {
            0 => Self::Flip,
            1 => Self::Drop,
            2 => Self::Repeat,
            _ => Self::Cut,
        }
    }

    /// Damages some of these bytes; whether the connection goes on.
    fn damage(self, bytes: &mut Vec<u8>, from: usize) -> ControlFlow<()> {
        let at = fastrand::usize(from..bytes.len());
        // As long as a field, or as several messages.
        let most = if fastrand::bool() { 8 } else { 2000 };
        let end = bytes.len().min(at + fastrand::usize(1..=most));
        match self {
            Self::Flip => bytes[at] ^= fastrand::u8(1..=u8::MAX),
            Self::Drop => drop(bytes.drain(at..end)),
            Self::Repeat => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            Self::Cut => {
                bytes.truncate(at);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

/// A proxy that damages what the broker sends, once in each stretch of bytes.
struct Damaging {
    address: String,
    damaged: Arc<AtomicU64>,
}

impl Damaging {
    /// In front of this port, so many times.
    fn new(port: u16, times: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let damaged = Arc::new(AtomicU64::new(0));
        let (count, left) = (Arc::clone(&damaged), Arc::new(AtomicU64::new(40_000)));
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                let pair = |stream: &TcpStream| stream.try_clone().expect("a handle");
                let (from, to) = (pair(&client), pair(&broker));
                thread::spawn(move || copy(from, to, |_| ControlFlow::Continue(())));
                let (count, left) = (Arc::clone(&count), Arc::clone(&left));
                // What is damaged in the login, and what is asked then, is no matter of chunks.
                let mut spared = 3_000_usize;
                thread::spawn(move || {
                    copy(broker, client, |bytes| {
                        let from = spared.min(bytes.len());
                        spared -= from;
                        let (before, arrived) = (left.load(Ordering::Relaxed), (bytes.len() - from) as u64);
                        left.store(before.saturating_sub(arrived), Ordering::Relaxed);
                        let number = count.load(Ordering::Relaxed);
                        if before > arrived || arrived == 0 || number >= times {
                            return ControlFlow::Continue(());
                        }
                        count.fetch_add(1, Ordering::Relaxed);
                        left.store(fastrand::u64(DISTANCE), Ordering::Relaxed);
                        Damage::of(number).damage(bytes, from)
                    });
                });
            }
        });
        Self { address, damaged }
    }
}

/// Shared by hosts that run beside each other: most of the time, each waits until it connects again.
fn a_thousand_damaged_bytes() -> Result<(), Skip> {
    thread::scope(|scope| {
        let hosts: Vec<_> = (0..5).map(|_| scope.spawn(|| damaged_bytes(200))).collect();
        hosts.into_iter().try_for_each(|host| host.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// At least one of so many is found in a chunk, which is refused. One in four cuts the connection, and some are in what is around
/// chunks.
const REFUSED: u64 = 3;

/// How many logs are published that are not counted yet.
const AHEAD: u64 = 1000;

/// Logs without ids are counted by their offsets: each damaged chunk is read again.
fn damaged_bytes(times: u64) -> Result<(), Skip> {
    let broker = Broker::new(Kind::Stream)?;
    declare(&broker);
    let folder = tempfile::tempdir().expect("a folder");
    let proxy = Damaging::new(broker.stream_port().expect("the stream protocol"), times);
    let outside = broker.outside();
    let host = run(&broker, &plugin()).args(["--from", "first", "--stream-address", &proxy.address]);
    let host = host.arg("--state").arg(folder.path()).start();
    let mut logs = 0;
    while proxy.damaged.load(Ordering::Relaxed) < times {
        publish(&outside, &broker, 200, "a log with some text in it, so that chunks have a length");
        logs += 200;
        // What comes next ends a frame of which something is missing.
        host.has_printed(|so_far| errors(&last_of(so_far, "error"))[0] + AHEAD >= logs);
    }
    publish(&outside, &broker, 500, "the last");
    logs += 500;
    counts(&host, "error", [logs, 0]);
    let output = host.end_by(Signal::Terminate).exits(0);
    assert_eq!(last_of(&output.stdout, "error")["repeated"], 0, "{output}");
    let refused = output.stderr.matches("came damaged from").count() as u64;
    assert!(refused * REFUSED >= times, "{refused} chunks were refused, of {times} damages: {output}");
    assert!(list(&broker, "error", &[]).is_empty());
    assert_eq!(counted(run(&broker, &plugin()).arg("--state").arg(folder.path())), logs);
    Ok(())
}

/// What is in a log whose chunk is damaged.
const MARK: &[u8] = b"<misdated>";

/// A proxy in front of this port that damages one of the 8 bytes of the time of the first chunk with [`MARK`] in it, the first
/// time that it is sent; and how often one was sent.
fn misdating(port: u16, byte: usize) -> (FrameProxy, Arc<AtomicU64>) {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let proxy = FrameProxy::new(port, move |frame| {
        let is_marked = frame.windows(MARK.len()).any(|part| part == MARK);
        if let Some(time) = time_in(frame).filter(|_| is_marked)
            && count.fetch_add(1, Ordering::Relaxed) == 0
        {
            frame[time + byte] ^= 0x10;
        }
    });
    (proxy, sent)
}

/// A stream is recognised by the time of a chunk as well: were it that of this one, the next run would refuse the stream.
fn a_damaged_time_is_no_other_stream(broker: &Broker) {
    declare(broker);
    let (outside, mark) = (broker.outside(), String::from_utf8_lossy(MARK));
    // The first chunk that is read, and one that comes later.
    for before in [0, 3] {
        let folder = tempfile::tempdir().expect("a folder");
        let (proxy, sent) = misdating(broker.stream_port().expect("the stream protocol"), 7);
        let run = || run(broker, &plugin()).arg("--state").arg(folder.path());
        let host = run().args(["--stream-address", proxy.address()]).start();
        host.says("consuming from");
        let mut logs = 0;
        for (text, number) in [("before", before), (&*mark, 1)] {
            publish(&outside, broker, number, text);
            logs += number as u64;
            counts(&host, "error", [logs, 0]);
        }
        host.end_by(Signal::Terminate).exits(0);
        assert!(sent.load(Ordering::Relaxed) > 0, "no chunk was damaged");
        publish(&outside, broker, 2, "after");
        assert_eq!(counted(run()), logs + 2);
    }
}

/// A log without a time has that of its chunk.
fn a_damaged_time_dates_no_log(broker: &Broker) {
    declare(broker);
    let (outside, mark) = (broker.outside(), String::from_utf8_lossy(MARK));
    for text in ["first", "second", &*mark, "fourth", "fifth"] {
        publish(&outside, broker, 1, text);
    }
    let (proxy, sent) = misdating(broker.stream_port().expect("the stream protocol"), 1);
    let tail = ["tail", "--severity", "error", "--from", "first", "--until", "next", "--format", "json"];
    let output = broker.loghost(tail).args(["--stream-address", proxy.address()]).end().exits(0);
    assert!(sent.load(Ordering::Relaxed) > 0, "no chunk was damaged");
    let logs = output.json();
    assert_eq!(logs.len(), 5, "{output}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis();
    for log in logs {
        let time = log["timestamp"].as_u64().expect("a time");
        assert!(now.abs_diff(time.into()) < 3_600_000, "{log}: {output}");
    }
}
