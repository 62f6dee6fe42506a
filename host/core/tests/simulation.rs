//! A simulation of consuming: the real pipeline between ports that fail at every step. Seeded, in virtual time;
//! after each run every log must be counted once, or be among the dead letters, and so must be all that is no log.
//!
//! `LOGHOST_SEED=N cargo test -p loghost-core --test simulation` plays one seed again, and says what happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use loghost_core::application::{
    Adapters, Batching, Clock, Commit, Confirmed, Consume, ConsumeOptions, Consumer, ConsumerActivity,
    ConsumerError, DeadLettering, Delivery, End, Finished, Item, Ledger, LedgerError, Load, LogSink,
    LogSource, Next, Ports, Publish, Reads, Receipt, Receipts, Rejection, Report, ReportError, Reporter,
    Saved, SavedState, SinkError, SourceError, SourceFactory, State, Tolerance,
};
use loghost_core::domain::{
    Attributes, Book, ConsumerName, Counts, Descriptor, Expired, Fields, Filter, IntervalSet, Log, MessageId,
    Metric, OriginState, Outcome, Processed, Producer, Record, Sequencer, Severities, Severity,
    Source as LogOrigin, Timestamp, Verdict,
};
use tokio::runtime;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

/// Longer than anything here takes, and far less than the clock leaps.
const FORGET_AFTER: Duration = Duration::from_mins(20);

/// How many seeds are played.
const SEEDS: usize = 10_000;

#[test]
fn every_log_is_counted_once_whatever_fails() {
    if let Some(seed) = std::env::var_os("LOGHOST_SEED") {
        let number = seed.to_str().and_then(|seed| seed.parse().ok());
        return play(number.expect("LOGHOST_SEED is a number"), true);
    }
    let threads = std::thread::available_parallelism().map_or(2, NonZero::get);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread..SEEDS).step_by(threads).for_each(|seed| play(seed as u64, false)));
        }
    });
}

/// Says which seed failed.
struct Failing(u64);

impl Drop for Failing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {0} failed; play it again with LOGHOST_SEED={0}", self.0);
        }
    }
}

fn play(seed: u64, aloud: bool) {
    let _failing = Failing(seed);
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(seed, aloud);
        let published = publish(&world).await;
        world.until_quiet(Judgement::AsWritten).await;
        world.check(&published, Judgement::AsWritten);
        // The consumer is mended and wants more, and its dead letters are sent back.
        world.replay();
        world.until_quiet(Judgement::AllIsWell).await;
        world.check(&published, Judgement::AllIsWell);
    });
}

/// What the consumer thinks of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// What their text says: `ok`, `skip`, `reject`, `retry`, `poison`. It does not want those of severity info.
    AsWritten,
    /// They are accepted, and all are wanted.
    AllIsWell,
}

struct Fakes;

impl Ports for Fakes {
    type SourceFactory = Door;
    type Consumer = Judge;
    type Ledger = Store;
    type Clock = Leaping;
    type Reporter = Honest;
    type Sink = Sink;
}

/// What was published.
#[derive(Debug, Default)]
struct Published {
    /// Logs of a severity that the consumer wants, and of one that it does not want at first.
    wanted: u64,
    unwanted: u64,
    /// Messages that are no logs.
    foreign: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Message {
    id: String,
    severity: Severity,
    source: String,
    text: &'static str,
    replayed: bool,
    /// Whether it was published as a log.
    is_log: bool,
}

/// All that outlives a crash of the host, and the faults.
#[derive(Clone)]
struct World(Arc<Mutex<Things>>, Arc<Notify>);

struct Things {
    rng: fastrand::Rng,
    aloud: bool,
    /// Out of a thousand steps, so many go wrong.
    faults: u32,
    /// After this many steps the host crashes.
    crash_in: Option<u32>,

    /// Whether the consumer looks at its logs.
    processes: bool,
    queue: VecDeque<Message>,
    unacknowledged: BTreeMap<u64, Message>,
    /// The channel: another one after each loss.
    channel: u64,
    next_tag: u64,
    dead: Vec<Message>,
    clock: Timestamp,

    counts: Counts,
    expired: Expired,
    seen: BTreeMap<String, Timestamp>,
    finished: BTreeMap<String, BTreeMap<u64, u64>>,
    dead_rows: BTreeMap<String, BTreeMap<u64, u64>>,
    unwanted_rows: BTreeMap<String, BTreeMap<u64, u64>>,
    checkpoint: Option<Vec<u8>>,
    filter: Option<Filter>,
}

/// How a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Luck {
    Good,
    /// It fails, and had no effect.
    Before,
    /// It fails, and had its effect.
    After,
}

impl World {
    fn new(seed: u64, aloud: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let faults = *rng.choice(&[0, 20, 100, 300]).unwrap();
        let processes = rng.u8(0..3) > 0;
        let things = Things {
            rng,
            aloud,
            faults,
            crash_in: None,
            processes,
            queue: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            channel: 0,
            next_tag: 1,
            dead: Vec::new(),
            clock: Timestamp::default(),
            counts: Counts::default(),
            expired: Expired::default(),
            seen: BTreeMap::new(),
            finished: BTreeMap::new(),
            dead_rows: BTreeMap::new(),
            unwanted_rows: BTreeMap::new(),
            checkpoint: None,
            filter: None,
        };
        Self(Arc::new(Mutex::new(things)), Arc::default())
    }

    fn things(&self) -> MutexGuard<'_, Things> {
        self.0.lock().unwrap()
    }

    /// One step of the host: it may crash here, and other tasks go on.
    async fn step(&self, what: &str) -> Luck {
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
    fn lose(&self) {
        let mut things = self.things();
        things.channel += 1;
        while let Some((_, message)) = things.unacknowledged.pop_last() {
            things.queue.push_front(message);
        }
    }

    /// Runs hosts, one after the other, until one has emptied the queue.
    async fn until_quiet(&self, judgement: Judgement) {
        let crashes = self.things().rng.u32(0..6);
        for crash in 0..=crashes {
            if crash == crashes {
                // Faults that never end would let nothing end.
                let mut things = self.things();
                things.crash_in = None;
                things.faults = 0;
            } else {
                let steps = self.things().rng.u32(1..150);
                self.things().crash_in = Some(steps);
            }
            tokio::select! {
                () = sleep(Duration::from_hours(24)) => panic!("it does not come to an end"),
                finished = self.host(judgement) => {
                    let passing = match &finished {
                        Ok(finished) => matches!(finished.end, End::Shutdown | End::Ledger(_)),
                        // It could not even start.
                        Err(end) => matches!(end, End::Source(_)),
                    };
                    assert!(passing, "{finished:?}");
                }
                () = self.1.notified() => {}
            }
            // It may have crashed in the moment in which it ended.
            let _ = self.1.notified().now_or_never();
            self.lose();
        }
        assert!(self.things().queue.is_empty(), "the last host has emptied the queue");
    }

    /// A host from its start to its end.
    async fn host(&self, judgement: Judgement) -> Result<Finished, End> {
        let (max_batch, max_held) = {
            let mut things = self.things();
            (things.rng.usize(1..12), things.rng.usize(1..5))
        };
        let options = ConsumeOptions {
            max_batch,
            batching: Batching::Arrived,
            every: Duration::from_secs(1),
            max_logs: None,
            max_retries: 2,
            max_held,
            pace: Duration::from_millis(5),
            tolerance: Tolerance { failures: 4, window: 5 },
            probe: Some(Duration::from_secs(1)),
            forget_after: FORGET_AFTER,
            publish_within: Duration::from_secs(5),
            state: SavedState::Restored,
        };
        let (reload, reloads) = mpsc::channel(1);
        let consumer = || Judge { world: self.clone(), judgement, counted: 0, saved: None, broken: false };
        let adapters: Adapters<Fakes> = Adapters {
            source_factory: Door(self.clone()),
            consumer: consumer(),
            ledger: Store(self.clone()),
            clock: Leaping(self.clone()),
            reporter: Honest(self.clone()),
            derived: None,
            reloads,
        };
        let mut consume = Consume::new(adapters, options);
        consume.open().await?;
        let reloads_one = self.things().rng.bool();
        if reloads_one {
            // A new version, in the middle of things.
            reload.send(consumer()).await.unwrap();
        }
        let world = self.clone();
        Ok(consume
            .run(async move {
                while !world.is_quiet() {
                    sleep(Duration::from_secs(1)).await;
                }
            })
            .await)
    }

    /// Puts something into the queue that is no log; gives what it is known by.
    fn publish_elsewhere(&self, number: usize) -> String {
        let id = format!("foreign {number}");
        let (severity, source) = (Severity::Error, String::new());
        let message =
            Message { id: id.clone(), severity, source, text: "ok", replayed: false, is_log: false };
        self.things().queue.push_back(message);
        id
    }

    fn is_quiet(&self) -> bool {
        let things = self.things();
        things.queue.is_empty() && things.unacknowledged.is_empty()
    }

    /// Sends every dead letter back that is a log, some of them twice.
    fn replay(&self) {
        let mut things = self.things();
        let things = &mut *things;
        let (logs, others) = things.dead.drain(..).partition(|message| message.is_log);
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

    /// The book tells of every log once, and so do the dead letters and the consumer.
    fn check(&self, published: &Published, judgement: Judgement) {
        let things = self.things();
        let counts = &things.counts;
        let unwanted = if judgement == Judgement::AsWritten { published.unwanted } else { 0 };
        let all = published.wanted + published.unwanted;
        assert_eq!((counts.total(), counts.unwanted.total()), (all - unwanted, unwanted), "{counts:?}");
        let numbers = |rows: &BTreeMap<String, BTreeMap<u64, u64>>| -> BTreeSet<String> {
            let all = rows.iter().flat_map(|(origin, rows)| {
                rows.iter()
                    .flat_map(move |(first, last)| (*first..=*last).map(move |n| format!("{origin}#{n}")))
            });
            all.collect()
        };
        assert_eq!(numbers(&things.finished).len() as u64, all);
        let mut dead = numbers(&things.dead_rows);
        assert_eq!(dead.len() as u64, counts.rejected.total());
        dead.extend(numbers(&things.unwanted_rows));
        assert_eq!(dead.len() as u64, counts.rejected.total() + counts.unwanted.total());
        let letters: BTreeSet<String> = things
            .dead
            .iter()
            .filter(|message| message.is_log)
            .map(|message| {
                let id: MessageId = message.id.parse().unwrap();
                format!("{}/{}/{}#{}", id.producer.as_str(), message.severity, message.source, id.sequence)
            })
            .collect();
        assert!(dead.is_subset(&letters), "dead in the book, and not among the dead letters");
        let others = things.dead.iter().filter(|message| !message.is_log);
        assert_eq!(others.map(|message| message.id.clone()).collect::<BTreeSet<_>>(), published.foreign);
        assert!(counts.foreign >= published.foreign.len() as u64, "{counts:?}");
        if !things.processes {
            assert_eq!(things.checkpoint, None);
            return;
        }
        let kept =
            things.checkpoint.as_deref().map_or(0, |state| u64::from_le_bytes(state.try_into().unwrap()));
        assert_eq!(
            kept,
            counts.accepted.total() + counts.skipped.total(),
            "what the consumer itself has counted"
        );
    }
}

/// Publishes some logs, a few of them more than once, as a producer does whose confirmation got lost.
async fn publish(world: &World) -> Published {
    let producer = Producer::new("p").unwrap();
    let mut publish = Publish::new(Sink(world.clone()), Sequencer::new(producer), Leaping(world.clone()));
    let logs = world.things().rng.u64(1..60);
    let mut published = Published::default();
    for _ in 0..logs {
        let log = {
            let mut things = world.things();
            let text = *things
                .rng
                .choice(&["ok", "ok", "ok", "ok", "ok", "ok", "skip", "reject", "retry", "poison"])
                .unwrap();
            let severity = [Severity::Error, Severity::Critical, Severity::Error, Severity::Info];
            let severity = *things.rng.choice(&severity).unwrap();
            let source = if things.rng.bool() { Some(LogOrigin::new("web").unwrap()) } else { None };
            Log { severity, message: text.to_owned(), source, attributes: Attributes::default(), hops: 0 }
        };
        if log.severity == Severity::Info {
            published.unwanted += 1;
        } else {
            published.wanted += 1;
        }
        publish.log(&log).await.unwrap();
        if world.things().rng.u8(0..8) == 0 {
            published.foreign.insert(world.publish_elsewhere(published.foreign.len()));
        }
    }
    published
}

struct Sink(World);

impl LogSink for Sink {
    async fn publish(&mut self, id: &MessageId, _: Timestamp, log: &Log) -> Result<(), SinkError> {
        let text = ["ok", "skip", "reject", "retry", "poison"].into_iter().find(|text| *text == log.message);
        let source = log.source.as_ref().map_or(String::new(), ToString::to_string);
        let message = Message {
            id: id.to_string(),
            severity: log.severity,
            source,
            text: text.unwrap(),
            replayed: false,
            is_log: true,
        };
        let mut things = self.0.things();
        let things = &mut *things;
        while things.rng.u8(0..8) == 0 {
            // A copy that is late.
            let place = things.rng.usize(0..=things.queue.len());
            things.queue.insert(place, message.clone());
        }
        things.queue.push_back(message);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn take_confirmed(&mut self) -> Confirmed {
        Confirmed::default()
    }

    fn receipts(&self) -> Receipts {
        Receipts::default()
    }
}

struct Door(World);

impl SourceFactory for Door {
    type Source = Queue;

    async fn open(&mut self, _: &Descriptor, reads: Reads, _: Option<&Filter>) -> Result<Queue, SourceError> {
        if self.0.step("open").await != Luck::Good {
            return Err(SourceError::Lost("it is away".into()));
        }
        let channel = self.0.things().channel;
        Ok(Queue { world: self.0.clone(), channel, reads })
    }
}

struct Queue {
    world: World,
    channel: u64,
    reads: Reads,
}

impl Queue {
    /// What happens if `effect` happens now; nothing, after the channel is lost.
    async fn act(
        world: World,
        channel: u64,
        what: &'static str,
        effect: impl FnOnce(&mut Things),
    ) -> Result<(), SourceError> {
        let lost = || Err(SourceError::Lost("it has gone".into()));
        let luck = world.step(what).await;
        if world.things().channel != channel {
            return lost();
        }
        if luck != Luck::Before {
            effect(&mut world.things());
        }
        if luck != Luck::Good {
            world.lose();
            return lost();
        }
        world.step(what).await;
        Ok(())
    }
}

impl LogSource for Queue {
    async fn receive(&mut self, burst: &mut Vec<Delivery>, max: usize) -> Result<(), SourceError> {
        // Nothing is lost if this is dropped: what was taken is handed over at once.
        if self.world.step("receive").await != Luck::Good {
            self.world.lose();
        }
        loop {
            {
                let mut things = self.world.things();
                if things.channel != self.channel {
                    return Err(SourceError::Lost("it has gone".into()));
                }
                let some = things.rng.usize(1..=max);
                while burst.len() < some
                    && things.unacknowledged.len() < 20
                    && let Some(message) = things.queue.pop_front()
                {
                    let tag = things.next_tag;
                    things.next_tag += 1;
                    let item = if message.is_log {
                        Item::Log(record(&message))
                    } else {
                        Item::Foreign("it came another way".to_owned())
                    };
                    burst.push(Delivery { receipt: Receipt(tag), item });
                    things.unacknowledged.insert(tag, message);
                }
                if !burst.is_empty() {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn dead_lettering(&self) -> DeadLettering {
        if self.reads == Reads::Logs { DeadLettering::Ready } else { DeadLettering::Unread }
    }

    fn standing(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn acknowledge_through(&mut self, Receipt(tag): Receipt) -> Result<(), SourceError> {
        Self::act(self.world.clone(), self.channel, "acknowledge through", |things| {
            assert!(things.unacknowledged.contains_key(&tag), "acknowledged before");
            things.unacknowledged.retain(|other, _| *other > tag);
        })
        .await
    }

    async fn acknowledge(&mut self, Receipt(tag): Receipt) -> Result<(), SourceError> {
        Self::act(self.world.clone(), self.channel, "acknowledge", |things| {
            assert!(things.unacknowledged.remove(&tag).is_some(), "acknowledged before");
        })
        .await
    }

    fn dead_letter(
        &mut self,
        Receipt(tag): Receipt,
        _: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<> {
        assert_eq!(self.reads, Reads::Logs, "a dead letter has its body");
        let message = self.world.things().unacknowledged.get(&tag).cloned();
        Self::act(self.world.clone(), self.channel, "bury", |things| things.dead.extend(message))
    }

    async fn adjust(&mut self, _: &Descriptor, _: Reads, _: Option<&Filter>) -> Result<(), SourceError> {
        Self::act(self.world.clone(), self.channel, "adjust", |_| {}).await
    }

    async fn close(&mut self, _: Next) {
        if self.world.things().channel == self.channel {
            self.world.lose();
        }
    }
}

fn record(message: &Message) -> Record {
    Record {
        severity: message.severity,
        timestamp: Timestamp::from_millis(1),
        attempt: 1,
        message: message.text.to_owned(),
        id: Some(message.id.clone()),
        source: message.source.clone(),
        attributes: Vec::new(),
        unkeyed: false,
        replayed: message.replayed,
        hops: 0,
    }
}

/// Counts what it accepts, and keeps that number.
struct Judge {
    world: World,
    judgement: Judgement,
    counted: u64,
    saved: Option<Vec<u8>>,
    /// After a failure, until it has started afresh.
    broken: bool,
}

impl Judge {
    fn fail<T>(&mut self, call: &'static str) -> Result<T, ConsumerError> {
        self.broken = true;
        Err(ConsumerError { call, reason: "trapped".to_owned(), backtrace: None })
    }

    fn start(&mut self) {
        if std::mem::take(&mut self.broken) {
            self.counted =
                self.saved.as_deref().map_or(0, |state| u64::from_le_bytes(state.try_into().unwrap()));
        }
    }
}

impl Consumer for Judge {
    fn descriptor(&self) -> &Descriptor {
        static DESCRIPTORS: std::sync::LazyLock<[Descriptor; 2]> = std::sync::LazyLock::new(|| {
            let narrow = Severities::from_iter([Severity::Error, Severity::Critical]);
            [narrow, Severities::from_iter(Severity::ALL)].map(|severities| Descriptor {
                name: ConsumerName::new("judge").unwrap(),
                version: String::new(),
                description: String::new(),
                filter: Filter::new(severities, Vec::new()),
                fields: Fields::default(),
                publishes: Severities::default(),
                tick: None,
            })
        });
        &DESCRIPTORS[usize::from(self.judgement == Judgement::AllIsWell)]
    }

    fn processes(&self) -> bool {
        self.world.things().processes
    }

    fn keeps_state(&self) -> bool {
        self.processes()
    }

    fn digest(&self) -> &'static str {
        ""
    }

    async fn process(&mut self, _: Timestamp, batch: &[Record]) -> Result<Processed, ConsumerError> {
        self.start();
        let luck = self.world.step("process").await;
        let mut verdicts = Vec::new();
        for (index, record) in batch.iter().enumerate() {
            let text = if self.judgement == Judgement::AllIsWell { "ok" } else { record.message.as_str() };
            let outcome = match text {
                "ok" => {
                    self.counted += 1;
                    continue;
                }
                "skip" => {
                    self.counted += 1;
                    Outcome::Skip
                }
                "reject" => Outcome::Reject("bad".to_owned()),
                "retry" if record.attempt == 2 => {
                    self.counted += 1;
                    continue;
                }
                "retry" => Outcome::Retry("busy".to_owned()),
                _ => return self.fail("process"),
            };
            verdicts.push(Verdict { index, outcome });
        }
        if luck == Luck::Good {
            Ok(Processed { verdicts, publish: Vec::new() })
        } else {
            self.fail("process")
        }
    }

    async fn format_metric(&mut self, _: &Metric) -> Result<String, ConsumerError> {
        Ok(String::new())
    }

    async fn save(&mut self) -> Result<Vec<u8>, ConsumerError> {
        self.start();
        if self.world.step("save").await != Luck::Good {
            return self.fail("save");
        }
        let state = self.counted.to_le_bytes().to_vec();
        self.saved = Some(state.clone());
        Ok(state)
    }

    async fn restore(&mut self, state: Option<&[u8]>) -> Result<(), ConsumerError> {
        self.saved = state.map(<[u8]>::to_vec);
        self.broken = true;
        self.start();
        Ok(())
    }
}

struct Store(World);

impl Ledger for Store {
    async fn load(&mut self) -> Result<Saved, LedgerError> {
        let things = self.0.things();
        let sequences =
            |rows: &BTreeMap<u64, u64>| rows.iter().map(|(first, last)| (*first, *last)).collect();
        let origins = things.finished.iter().map(|(origin, rows)| OriginState {
            origin: origin.clone(),
            seen: things.seen[origin],
            finished: sequences(rows),
            dead: things.dead_rows.get(origin).map_or_else(IntervalSet::default, sequences),
            unwanted: things.unwanted_rows.get(origin).map_or_else(IntervalSet::default, sequences),
        });
        Ok(Saved {
            book: Book::restore(things.counts.clone(), things.expired, origins),
            checkpoint: things.checkpoint.clone(),
            filter: things.filter.clone(),
        })
    }

    fn commit(&mut self, commit: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let world = self.0.clone();
        async move {
            // The disk is full, now and then.
            if world.step("commit").await == Luck::Before && world.things().rng.u8(0..4) == 0 {
                return Err(LedgerError("no space left on device".into()));
            }
            {
                let mut things = world.things();
                let things = &mut *things;
                things.counts = commit.changes.counts;
                things.expired = commit.changes.expired;
                assert_eq!(commit.changes.forgotten, [], "no time has passed");
                for change in commit.changes.origins {
                    things.seen.insert(change.origin.to_string(), change.seen);
                    for (rows, changes) in [
                        (&mut things.finished, &change.finished),
                        (&mut things.dead_rows, &change.dead),
                        (&mut things.unwanted_rows, &change.unwanted),
                    ] {
                        let rows = rows.entry(change.origin.to_string()).or_default();
                        for interval in changes {
                            match interval.last {
                                Some(last) => rows.insert(interval.first, last),
                                None => rows.remove(&interval.first),
                            };
                        }
                    }
                }
                if commit.checkpoint.is_some() {
                    things.checkpoint = commit.checkpoint;
                }
                things.filter = commit.filter.or(things.filter.take());
            }
            world.step("committed").await;
            Ok(())
        }
    }
}

/// Leaps, now and then, by up to years.
struct Leaping(World);

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
struct Honest(World);

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

    fn state(&mut self, _: &ConsumerName, _: &State<'_>) {}

    fn progress(&mut self, _: &ConsumerName, _: usize, _: Load) {}
}
