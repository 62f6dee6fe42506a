//! Mutated sessions: the seeds of the corpus, changed at random. The broker never panics, closes such a connection,
//! and goes on serving others. `PROPTEST_CASES` sets the number of cases.

use std::cell::RefCell;
use std::fs;
use std::panic;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loghost_broker::{Broker, Options};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::support::wire::{Wire, message, raw};
use crate::support::{TIMEOUT, broker_with, soon};

mod support;

/// A session: what a client sends, frame by frame.
type Session = Vec<Vec<u8>>;

static SEEDS: LazyLock<Vec<Session>> = LazyLock::new(|| {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> =
        fs::read_dir(corpus).expect("the corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| session(&fs::read_to_string(file).expect("a seed"))).collect()
});

/// Reads a seed: on each line a frame's type, channel and payload, or `raw` bytes; `#` begins a comment.
fn session(text: &str) -> Session {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (kind, rest) = line.split_once(' ').expect("a type");
            if kind == "raw" {
                return hex(rest);
            }
            let (channel, payload) = rest.split_once(' ').unwrap_or((rest, ""));
            raw(kind.parse().expect("a type"), channel.parse().expect("a channel"), &hex(payload))
        })
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("one digit"))
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// What is done to a session.
#[derive(Clone, Debug)]
enum Change {
    /// Another byte, somewhere.
    Byte(Index, Index, u8),
    /// Other bytes in a frame whose size is right.
    Payload(Index, Index, Vec<u8>),
    Leave(Index),
    Repeat(Index, Index),
    Cut(Index),
    Insert(Index, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    let bytes = || vec(any::<u8>(), 0..12);
    prop_oneof![
        (index(), index(), any::<u8>()).prop_map(|(frame, at, byte)| Change::Byte(frame, at, byte)),
        (index(), index(), bytes()).prop_map(|(frame, at, new)| Change::Payload(frame, at, new)),
        index().prop_map(Change::Leave),
        (index(), index()).prop_map(|(frame, to)| Change::Repeat(frame, to)),
        index().prop_map(Change::Cut),
        (index(), bytes()).prop_map(|(at, new)| Change::Insert(at, new)),
    ]
}

impl Change {
    fn apply(&self, session: &mut Session) {
        if session.is_empty() {
            return;
        }
        let frames = session.len();
        match self {
            Self::Byte(frame, at, byte) => {
                let frame = &mut session[frame.index(frames)];
                if !frame.is_empty() {
                    let at = at.index(frame.len());
                    frame[at] = *byte;
                }
            }
            Self::Payload(frame, at, new) => {
                let frame = &mut session[frame.index(frames)];
                if frame.len() > 8 {
                    let mut payload = frame[7..frame.len() - 1].to_vec();
                    let at = at.index(payload.len());
                    let end = (at + new.len()).min(payload.len());
                    payload.splice(at..end, new.iter().copied());
                    *frame = raw(frame[0], u16::from_be_bytes([frame[1], frame[2]]), &payload);
                }
            }
            Self::Leave(frame) => drop(session.remove(frame.index(frames))),
            Self::Repeat(frame, to) => {
                let copy = session[frame.index(frames)].clone();
                session.insert(to.index(frames), copy);
            }
            Self::Cut(frame) => session.truncate(frame.index(frames)),
            Self::Insert(at, new) => session.insert(at.index(frames), new.clone()),
        }
    }
}

fn changed_seed() -> impl Strategy<Value = Vec<u8>> {
    (select(SEEDS.as_slice()), vec(change(), 1..6)).prop_map(|(seed, changes)| {
        let mut session = seed;
        for change in changes {
            change.apply(&mut session);
        }
        session.concat()
    })
}

/// How often anything has panicked, in any thread.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A broker with a client that goes on, whatever others do.
struct Bystander {
    runtime: Runtime,
    broker: Broker,
    wire: Wire,
}

impl Bystander {
    fn new() -> Self {
        static HOOK: LazyLock<()> = LazyLock::new(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                PANICS.fetch_add(1, Ordering::Relaxed);
                before(panic);
            }));
        });
        LazyLock::force(&HOOK);
        let runtime = Runtime::new().expect("threads");
        let (broker, wire) = runtime.block_on(async {
            // Little memory, so that a session that announces more is refused, and none can block the others.
            let broker = broker_with(Options { max_message_size: 100_000, ..Options::default() }).await;
            let mut wire = Wire::open(&broker).await;
            wire.declare("bystander").await;
            wire.consume("bystander").await;
            (broker, wire)
        });
        Self { runtime, broker, wire }
    }

    /// Gives what the broker answers to a session, to the end of the connection.
    fn answer(&self, session: &[u8]) -> Option<Vec<u8>> {
        self.runtime.block_on(async {
            let mut socket = Wire::connect(&self.broker).await.socket;
            let mut answer = Vec::new();
            let (mut reading, mut writing) = socket.split();
            let write = async {
                // It may have hung up already.
                let _ = writing.write_all(session).await;
                let _ = writing.shutdown().await;
            };
            let talk = async { tokio::join!(write, reading.read_to_end(&mut answer)) };
            // The end may be a reset.
            let _ = timeout(TIMEOUT, talk).await.ok()?;
            Some(answer)
        })
    }

    /// Sends itself a message.
    fn goes_on(&mut self) -> bool {
        let Self { runtime, wire, .. } = self;
        let goes_on = async {
            wire.send(&message("bystander", b"still here")).await;
            for _ in 0..3 {
                wire.frame().await.expect("a frame of a delivery");
            }
        };
        runtime.block_on(async { timeout(Duration::from_secs(20), soon(goes_on)).await.is_ok() })
    }

    fn check(&mut self, session: &[u8]) -> Result<(), TestCaseError> {
        let panics = PANICS.load(Ordering::Relaxed);
        prop_assert!(self.answer(session).is_some(), "the broker does not let go");
        prop_assert!(self.goes_on(), "others are held up");
        prop_assert_eq!(PANICS.load(Ordering::Relaxed), panics, "something panicked");
        Ok(())
    }
}

/// Unchanged, the seeds are sessions that end normally.
fn seeds_are_answered(bystander: &Bystander) {
    for seed in SEEDS.iter() {
        let answer = bystander.answer(&seed.concat()).expect("an answer");
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.ends_with(&raw(1, 0, b"\0\x0a\0\x33")), "{text}");
    }
}

#[test]
fn no_session_harms_anyone() {
    let bystander = Bystander::new();
    seeds_are_answered(&bystander);
    let bystander = RefCell::new(bystander);
    // Shrinking opens a connection for each step.
    let config =
        ProptestConfig { max_shrink_iters: 200, source_file: Some(file!()), ..ProptestConfig::default() };
    let sessions = prop_oneof![4 => changed_seed(), 1 => vec(any::<u8>(), 0..600)];
    TestRunner::new(config).run(&sessions, |session| bystander.borrow_mut().check(&session)).unwrap();
}
