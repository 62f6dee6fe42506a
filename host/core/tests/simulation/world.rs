//! All that outlives a crash of the host, and the faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use loghost_core::application::{Clock, Report, ReportError, Reporter};
use loghost_core::domain::{Counts, Expired, Filter, Severity, Timestamp};
use tokio::sync::Notify;

/// What was published, as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) source: String,
    pub(crate) text: &'static str,
    pub(crate) replayed: bool,
    /// Whether it was published as a log.
    pub(crate) is_log: bool,
    /// The texts of its logs, where it has several, and a number that it is known by.
    pub(crate) several: Option<(usize, Vec<&'static str>)>,
}

/// All that outlives a crash of the host, and the faults.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<Things>>, Arc<Notify>);

/// Where logs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A queue, which forgets what is acknowledged.
    Queue,
    /// Files of logs with offsets, which stay.
    Stream,
}

/// Key to intervals.
pub(crate) type Rows = BTreeMap<String, BTreeMap<u64, u64>>;

pub(crate) struct Things {
    pub(crate) kind: Kind,
    pub(crate) rng: fastrand::Rng,
    aloud: bool,
    /// Out of a thousand steps, so many go wrong.
    pub(crate) faults: u32,
    /// After this many steps the host crashes.
    pub(crate) crash_in: Option<u32>,

    /// Whether the consumer looks at its logs.
    pub(crate) processes: bool,
    /// What was published and not read; of streams, what is not in them yet.
    pub(crate) queue: VecDeque<Message>,
    pub(crate) unacknowledged: BTreeMap<u64, Message>,
    /// The messages of each stream, by their offsets.
    pub(crate) files: BTreeMap<&'static str, BTreeMap<u64, Message>>,
    /// The channel: another one after each loss.
    pub(crate) channel: u64,
    pub(crate) next_tag: u64,
    pub(crate) dead: Vec<Message>,
    /// Of messages with several logs the numbers of those that are dead.
    pub(crate) dead_logs: BTreeSet<(usize, usize)>,
    pub(crate) clock: Timestamp,

    pub(crate) counts: Counts,
    pub(crate) expired: Expired,
    pub(crate) seen: BTreeMap<String, Timestamp>,
    pub(crate) finished: Rows,
    pub(crate) dead_rows: Rows,
    pub(crate) unwanted_rows: Rows,
    /// The offsets that are finished.
    pub(crate) streams: Rows,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) filter: Option<Filter>,
}

/// How a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    Good,
    /// It fails, and had no effect.
    Before,
    /// It fails, and had its effect.
    After,
}

impl World {
    pub(crate) fn new(kind: Kind, seed: u64, aloud: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let faults = *rng.choice(&[0, 20, 100, 300]).unwrap();
        let processes = rng.u8(0..3) > 0;
        let things = Things {
            kind,
            rng,
            aloud,
            faults,
            crash_in: None,
            processes,
            queue: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            files: BTreeMap::new(),
            channel: 0,
            next_tag: 1,
            dead: Vec::new(),
            dead_logs: BTreeSet::new(),
            clock: Timestamp::default(),
            counts: Counts::default(),
            expired: Expired::default(),
            seen: BTreeMap::new(),
            finished: BTreeMap::new(),
            dead_rows: BTreeMap::new(),
            unwanted_rows: BTreeMap::new(),
            streams: BTreeMap::new(),
            checkpoint: None,
            filter: None,
        };
        Self(Arc::new(Mutex::new(things)), Arc::default())
    }

    pub(crate) fn things(&self) -> MutexGuard<'_, Things> {
        self.0.lock().unwrap()
    }

    /// One step of the host: it may crash here, and other tasks go on.
    pub(crate) async fn step(&self, what: &str) -> Luck {
        tokio::task::yield_now().await;
        let crashed = {
            let mut things = self.things();
            things.crash_in = things.crash_in.map(|left| left - 1);
            let crashed = things.crash_in.take_if(|left| *left == 0).is_some();
            if things.aloud {
                eprintln!("{what}{}", if crashed { ": crash" } else { "" });
            }
            crashed
        };
        if crashed {
            self.1.notify_one();
            pending::<()>().await;
        }
        let mut things = self.things();
        let faults = things.faults;
        if things.rng.u32(0..1000) >= faults {
            Luck::Good
        } else if things.rng.bool() {
            Luck::Before
        } else {
            Luck::After
        }
    }

    /// The connection is gone: what is not acknowledged comes again.
    pub(crate) fn lose(&self) {
        let mut things = self.things();
        things.channel += 1;
        while let Some((_, message)) = things.unacknowledged.pop_last() {
            things.queue.push_front(message);
        }
    }

    /// Is ready when the host has crashed.
    pub(crate) async fn crashed(&self) {
        self.1.notified().await;
    }

    /// Puts something into the queue that is no log; gives what it is known by.
    pub(crate) fn publish_elsewhere(&self, number: usize) -> String {
        let id = format!("foreign {number}");
        let (severity, source) = (Severity::Error, String::new());
        let message = Message {
            id: Some(id.clone()),
            severity,
            source,
            text: "ok",
            replayed: false,
            is_log: false,
            several: None,
        };
        self.things().queue.push_back(message);
        id
    }

    /// Puts a message of others into the queue, which has these logs.
    pub(crate) fn publish_several(&self, number: usize, texts: Vec<&'static str>) {
        let message = Message {
            id: None,
            severity: Severity::Error,
            source: String::new(),
            text: "",
            replayed: false,
            is_log: true,
            several: Some((number, texts)),
        };
        self.things().queue.push_back(message);
    }

    /// Takes the id from what was published last, unless there are copies of it.
    pub(crate) fn strip_last(&self) -> bool {
        let mut things = self.things();
        let id = things.queue.back().and_then(|message| message.id.clone());
        let is_alone = things.queue.iter().filter(|message| message.id == id).count() == 1;
        if is_alone && let Some(message) = things.queue.back_mut() {
            message.id = None;
        }
        is_alone
    }

    /// Writes to the files what was published; offsets have gaps that mean nothing.
    pub(crate) fn append_to_files(&self) {
        let mut things = self.things();
        let things = &mut *things;
        for message in std::mem::take(&mut things.queue) {
            let file = if message.severity == Severity::Error { "logs.error" } else { "logs.others" };
            let file = things.files.entry(file).or_default();
            let next = file.last_key_value().map_or(0, |(last, _)| last + 1);
            file.insert(next + u64::from(things.rng.u8(0..4) / 3), message);
        }
    }

    /// Whether everything is acknowledged, or committed.
    pub(crate) fn is_quiet(&self) -> bool {
        let things = self.things();
        let is_read = |(file, messages): (&&str, &BTreeMap<u64, Message>)| {
            let committed = things.streams.get(*file).and_then(|rows| rows.get(&0));
            committed >= messages.last_key_value().map(|(last, _)| last)
        };
        things.queue.is_empty() && things.unacknowledged.is_empty() && things.files.iter().all(is_read)
    }

    /// Sends every dead letter back that is a log with an id, some of them twice.
    pub(crate) fn replay(&self) {
        let mut things = self.things();
        let things = &mut *things;
        let (logs, others) =
            things.dead.drain(..).partition(|message| message.is_log && message.id.is_some());
        things.dead = others;
        let logs: Vec<Message> = logs;
        for message in logs.into_iter().map(|message| Message { replayed: true, ..message }) {
            if things.rng.u8(0..10) == 0 {
                things.queue.push_back(message.clone());
            }
            things.queue.push_back(message);
        }
        things.rng.shuffle(things.queue.make_contiguous());
    }
}

/// Leaps, now and then, by up to years.
pub(crate) struct Leaping(pub(crate) World);

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        let mut things = self.0.things();
        if things.rng.u8(0..10) == 0 {
            let days = things.rng.u64(0..2000);
            things.clock = Timestamp::default().plus(Duration::from_hours(24 * days));
        }
        things.clock
    }
}

/// What is shown is committed.
pub(crate) struct Honest(pub(crate) World);

impl Reporter for Honest {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        let committed = self.0.things().counts.total();
        assert!(
            report.counts.total() <= committed,
            "{:?} is shown, {committed} are committed",
            report.counts
        );
        Ok(())
    }
}
