//! The consume use case, between fakes: what is acknowledged, counted, held, dead-lettered and reported, and
//! when. Time is paused, so a test takes no longer than its work.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loghost_core::application::{
    Adapters, Batching, Cause, Clock, Commit, Confirmed, Consume, ConsumeOptions, Consumer, ConsumerActivity,
    ConsumerError, ConsumerEvent, DeadLettering, DeadLetters, Delivery, End, Event, Finished, Item, Ledger,
    LedgerError, LogSink, LogSource, Next, Observer, Opened, Ports, Publish, Receipts, Rejection, Report,
    ReportError, Reporter, Saved, SavedState, SinkError, SourceError, SourceFactory, Subscription, Tolerance,
    Uncounted,
};
use loghost_core::domain::{
    Attributes, ConsumerName, Descriptor, Fields, Filter, Log, MessageId, Metric, Outcome, Position,
    Processed, Producer, Record, Sequencer, Severities, Severity, Timestamp, Verdict,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// What happened, in order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Delivers bursts at the times given, and then either ends or stays silent.
struct Source {
    bursts: VecDeque<(Duration, Vec<Delivery<u64>>)>,
    begin: Instant,
    then: Then,
    journal: Journal,
}

#[derive(Clone, Copy)]
enum Then {
    Silence,
    Lost,
}

impl LogSource for Source {
    type Original = u64;

    async fn receive(&mut self, burst: &mut Vec<Delivery<u64>>, max: usize) -> Result<(), SourceError> {
        let Some((at, _)) = self.bursts.front() else {
            return match self.then {
                Then::Silence => std::future::pending().await,
                Then::Lost => Err(SourceError::Lost("gone".into())),
            };
        };
        sleep_until(self.begin + *at).await;
        let (_, logs) = self.bursts.front_mut().unwrap();
        let taken = logs.len().min(max);
        burst.extend(logs.drain(..taken));
        if logs.is_empty() {
            self.bursts.pop_front();
        }
        Ok(())
    }

    async fn acknowledge_through(&mut self, position: Position) -> Result<(), SourceError> {
        self.journal.note(format!("ack {}", number(&position)));
        Ok(())
    }

    async fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        self.journal.note(format!("ack only {}", number(&position)));
        Ok(())
    }

    async fn close(self, next: Next) {
        if next == Next::Same {
            self.journal.note("keep");
        }
        self.journal.note("close");
    }

    fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Active
    }

    async fn adjust(&mut self, subscription: Subscription<'_>) -> Result<(), SourceError> {
        self.journal.note(format!("adjust to {}", subscription.descriptor.version));
        Ok(())
    }
}

fn number(position: &Position) -> u64 {
    match position {
        Position::Transient(number) => *number,
        Position::Durable(position) => position.offset,
    }
}

/// Notes what goes there.
struct DeadQueue(Journal);

impl DeadLetters for DeadQueue {
    type Original = u64;

    fn write(
        &mut self,
        n: u64,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<> {
        let how = match rejection.cause {
            Cause::Trapped => "trap: ",
            Cause::Foreign => "foreign: ",
            Cause::Unwanted => "unwanted: ",
            Cause::Looped => "loop: ",
            Cause::Rejected | Cause::RetriesExhausted | Cause::Dropped => "",
        };
        self.0.note(format!("dead-letter {n}: {how}{} after {}", rejection.reason, rejection.attempts));
        ready(Ok(()))
    }

    async fn close(self) {}
}

/// Opens a source, and after that nothing for ever.
struct Once(Option<Opened<Source, DeadQueue>>);

impl SourceFactory for Once {
    type Source = Source;
    type DeadLetters = DeadQueue;

    async fn open(&mut self, _: Subscription<'_>) -> Result<Opened<Source, DeadQueue>, SourceError> {
        match self.0.take() {
            Some(opened) => Ok(opened),
            None => std::future::pending().await,
        }
    }
}

struct Fakes;

impl Ports for Fakes {
    type SourceFactory = Once;
    type Consumer = Judge;
    type Ledger = Store;
    type Clock = Still;
    type Reporter = Notes;
    type Sink = Sink;
}

/// Takes a while to commit, if it is a slow one.
struct Store {
    journal: Journal,
    slowness: Option<Duration>,
}

impl Ledger for Store {
    async fn load(&mut self) -> Result<Saved, LedgerError> {
        Ok(Saved::default())
    }

    fn commit(&mut self, commit: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let (journal, slowness) = (self.journal.clone(), self.slowness);
        async move {
            if let Some(slowness) = slowness {
                sleep(slowness).await;
                journal.note(format!("commit {}", commit.changes.counts.total()));
            }
            Ok(())
        }
    }
}

/// Does what the first word of a message says.
struct Judge {
    descriptor: Descriptor,
    processes: bool,
    journal: Journal,
}

impl Consumer for Judge {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn processes(&self) -> bool {
        self.processes
    }

    fn keeps_state(&self) -> bool {
        false
    }

    fn digest(&self) -> &'static str {
        ""
    }

    async fn process(&mut self, _: Timestamp, batch: &[Record]) -> Result<Processed, ConsumerError> {
        let seen: Vec<String> = batch.iter().map(|r| format!("{}/{}", r.message, r.attempt)).collect();
        self.journal.note(format!("process [{}]", seen.join(" ")));
        let mut verdicts = Vec::new();
        for (index, record) in batch.iter().enumerate() {
            let outcome = match record.message.as_str() {
                "skip" => Outcome::Skip,
                "reject" => Outcome::Reject("bad".to_owned()),
                "retry" => Outcome::Retry("busy".to_owned()),
                "once" if record.attempt == 1 => Outcome::Retry("not yet".to_owned()),
                "trap" => {
                    let reason = "trapped".to_owned();
                    return Err(ConsumerError { call: "process", reason, backtrace: None });
                }
                _ => continue,
            };
            verdicts.push(Verdict { index, outcome });
        }
        let says = |record: &Record| match record.message.as_str() {
            "echo" => Some(echo(record.severity, "heard")),
            "shout" => Some(echo(record.severity, "too large")),
            _ => None,
        };
        let publish = batch.iter().filter_map(says).collect();
        Ok(Processed { verdicts, publish })
    }

    async fn format_metric(&mut self, metric: &Metric) -> Result<String, ConsumerError> {
        let counts = &metric.counts;
        Ok(format!("{}+{}-{}", counts.accepted.total(), counts.skipped.total(), counts.rejected.total()))
    }

    async fn save(&mut self) -> Result<Vec<u8>, ConsumerError> {
        Ok(Vec::new())
    }

    async fn restore(&mut self, _: Option<&[u8]>) -> Result<(), ConsumerError> {
        Ok(())
    }
}

/// Shows a time that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(7)
    }
}

/// Takes what the consumer publishes, but for `too large`; or never answers.
struct Sink {
    journal: Journal,
    is_stuck: bool,
    receipts: Receipts,
}

impl LogSink for Sink {
    async fn publish(&mut self, id: &MessageId, _: Timestamp, log: &Log) -> Result<(), SinkError> {
        if log.message == "too large" {
            self.receipts.refused[log.severity] += 1;
        } else {
            self.receipts.confirm(log.severity);
        }
        self.journal.note(format!("publish {id} {}", log.message));
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        if self.is_stuck {
            std::future::pending::<()>().await;
        }
        self.journal.note("confirmed");
        Ok(())
    }

    fn give_up(&mut self) {
        self.journal.note("give up");
    }

    fn refusal(&self) -> Option<String> {
        Some("over the limit".to_owned())
    }

    fn receipts(&self) -> Receipts {
        self.receipts
    }

    fn take_confirmed(&mut self) -> Confirmed {
        Confirmed::default()
    }
}

fn echo(severity: Severity, message: &str) -> Log {
    Log { severity, message: message.to_owned(), source: None, attributes: Attributes::default(), hops: 0 }
}

struct Notes(Journal, Figures);

impl Reporter for Notes {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        let last = if report.last { " (last)" } else { "" };
        self.0.note(format!("metric {}{last}", report.text.as_ref().unwrap()));
        Ok(())
    }
}

impl Observer for Notes {
    fn observe(&self, event: &Event<'_>) {
        let Event::Consumer(_, event) = event else { return };
        match event {
            ConsumerEvent::Stopped(error, delay) => self.0.note(format!("stopped for {delay:?}: {error}")),
            ConsumerEvent::Recovered => self.0.note("recovered"),
            ConsumerEvent::Reopening(error) => self.0.note(format!("reopening: {error}")),
            ConsumerEvent::NotCounted(reason, _) => self.0.note(format!("not counted: {reason}")),
            ConsumerEvent::LeftUncounted(Uncounted { foreign, unwanted }, _) => {
                self.0.note(format!("left uncounted: {foreign} foreign, {unwanted} unwanted"));
            }
            ConsumerEvent::Received(n) => self.1.add(|figures| figures.received += n),
            ConsumerEvent::Processed { logs, .. } => self.1.add(|figures| figures.processed += logs),
            ConsumerEvent::Retrying(n) => self.1.add(|figures| figures.retrying += n),
            ConsumerEvent::DeadLettered(_) => self.1.add(|figures| figures.dead_lettered += 1),
            ConsumerEvent::Committed { deliveries, .. } => {
                self.1.add(|figures| figures.committed += deliveries);
            }
            ConsumerEvent::Acknowledged { deliveries, .. } => {
                self.1.add(|figures| figures.acknowledged += deliveries);
            }
            _ => {}
        }
    }
}

/// What the events of a run come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    received: usize,
    processed: usize,
    retrying: usize,
    dead_lettered: usize,
    committed: usize,
    acknowledged: usize,
}

#[derive(Clone, Default)]
struct Figures(Arc<Mutex<Sums>>);

impl Figures {
    fn add(&self, add: impl FnOnce(&mut Sums)) {
        add(&mut self.0.lock().unwrap());
    }
}

fn log(n: u64, message: &str) -> Delivery<u64> {
    let record = Record {
        severity: Severity::Error,
        timestamp: Timestamp::from_millis(n),
        attempt: 1,
        message: message.to_owned(),
        id: Some(format!("loghost:p/{n}")),
        source: String::new(),
        attributes: Vec::new(),
        unkeyed: false,
        replayed: false,
        hops: 0,
    };
    Delivery { position: Position::Transient(n), item: Item::Log(record), original: Some(n) }
}

fn options() -> ConsumeOptions {
    ConsumeOptions {
        max_batch: 10,
        batching: Batching::Arrived,
        every: Duration::from_secs(1),
        max_logs: None,
        max_retries: 2,
        max_waiting: 10,
        pace: Duration::ZERO,
        tolerance: Tolerance { failures: 3, window: 4 },
        probe: None,
        forget_after: Duration::from_hours(1),
        publish_within: Duration::from_secs(5),
        state: SavedState::Restored,
    }
}

struct Case {
    processes: bool,
    bursts: Vec<(u64, Vec<Delivery<u64>>)>,
    then: Then,
    dead_lettering: DeadLettering,
    options: ConsumeOptions,
    slowness: Option<Duration>,
    /// Whether what the consumer publishes has no answer.
    is_stuck: bool,
    /// A new version, that comes after so many milliseconds.
    new: Option<u64>,
    /// Seconds after which the run is asked to end.
    until: u64,
    figures: Figures,
}

impl Case {
    fn new(bursts: Vec<(u64, Vec<Delivery<u64>>)>) -> Self {
        Self {
            processes: true,
            bursts,
            then: Then::Silence,
            dead_lettering: DeadLettering::Ready(()),
            options: options(),
            slowness: None,
            is_stuck: false,
            new: None,
            until: 60,
            figures: Figures::default(),
        }
    }

    async fn run(self) -> (Finished, Vec<String>) {
        let journal = Journal::default();
        let begin = Instant::now();
        let bursts = self.bursts.into_iter().map(|(at, logs)| (Duration::from_millis(at), logs)).collect();
        let source = Source { bursts, begin, then: self.then, journal: journal.clone() };
        let dead_letters = match self.dead_lettering {
            DeadLettering::Ready(()) => DeadLettering::Ready(DeadQueue(journal.clone())),
            DeadLettering::Unread => DeadLettering::Unread,
            DeadLettering::None => DeadLettering::None,
        };
        let descriptor = Descriptor {
            name: ConsumerName::new("judge").unwrap(),
            version: String::new(),
            description: String::new(),
            filter: Filter::new(Severities::from_iter([Severity::Error]), Vec::new()),
            fields: Fields::default(),
            publishes: Severities::default(),
            tick: None,
        };
        let judge = |version: &str| {
            let descriptor = Descriptor { version: version.to_owned(), ..descriptor.clone() };
            Judge { descriptor, processes: self.processes, journal: journal.clone() }
        };
        let producer = Producer::new("judge").unwrap();
        let sink = Sink { journal: journal.clone(), is_stuck: self.is_stuck, receipts: Receipts::default() };
        let derived = Publish::new(sink, Sequencer::new(producer), Still);
        let (replace, replaced) = mpsc::channel(1);
        let (first, second) = (judge("1"), judge("2"));
        if let Some(millis) = self.new {
            tokio::spawn(async move {
                sleep_until(begin + Duration::from_millis(millis)).await;
                replace.send(second).await
            });
        }
        let adapters: Adapters<Fakes> = Adapters {
            source_factory: Once(Some(Opened { source, dead_letters })),
            consumer: first,
            ledger: Store { journal: journal.clone(), slowness: self.slowness },
            clock: Still,
            reporter: Notes(journal.clone(), self.figures.clone()),
            observer: Arc::new(Notes(journal.clone(), self.figures.clone())),
            derived: Some(derived),
            reloads: replaced,
        };
        let mut consume = Consume::new(adapters, self.options);
        consume.open().await.unwrap();
        let finished = consume.run(sleep_until(begin + Duration::from_secs(self.until))).await;
        // In every case the source is closed once, and nothing is asked of it after that.
        let mut lines = journal.lines();
        let close = lines.iter().position(|line| line == "close").expect("the source is closed");
        lines.remove(close);
        assert!(
            lines[close..].iter().all(|line| ["metric", "stopped", "reopening", "left uncounted"]
                .iter()
                .any(|word| line.starts_with(word))),
            "{lines:?}"
        );
        (finished, lines)
    }
}

/// The commit takes longer than to judge the next batch, whose logs nobody takes.
#[tokio::test(start_paused = true)]
async fn what_is_finished_is_acknowledged_while_publishing_takes_long() {
    let mut case = Case::new(vec![(0, vec![log(1, "a")]), (1, vec![log(2, "echo")])]);
    (case.slowness, case.is_stuck) = (Some(Duration::from_secs(1)), true);
    let (finished, lines) = case.run().await;
    assert_eq!(lines[..2], ["process [a/1]", "process [echo/1]"]);
    let place = |what: &str| lines.iter().position(|line| line.starts_with(what)).expect(what);
    assert!(place("ack 1") < place("give up"), "{lines:?}");
    assert!(place("give up") < place("reopening"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("ack") && line.contains('2')), "{lines:?}");
    assert_eq!(finished.counts.total(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_judged_counted_and_then_acknowledged() {
    let burst = vec![log(1, "a"), log(2, "skip"), log(3, "reject"), log(4, "b")];
    let (finished, lines) = Case::new(vec![(0, burst)]).run().await;
    let expected = [
        "process [a/1 skip/1 reject/1 b/1]",
        "dead-letter 3: bad after 1",
        "ack 2",
        "ack only 4",
        "ack 3",
        "metric 2+1-1",
        "metric 2+1-1 (last)",
    ];
    assert_eq!(lines, expected);
    assert!(matches!(finished.end, End::Shutdown));
    assert_eq!(
        (finished.counts.first, finished.counts.last),
        (Some(Timestamp::from_millis(1)), Some(Timestamp::from_millis(4)))
    );
}

/// Whoever counts by the events comes to the same figures.
#[tokio::test(start_paused = true)]
async fn events_add_up() {
    let burst = vec![log(1, "a"), log(2, "skip"), log(3, "reject"), log(4, "once"), log(5, "retry")];
    let case = Case::new(vec![(0, burst)]);
    let figures = case.figures.clone();
    case.run().await;
    let expected = Sums {
        received: 5,
        // Three attempts at one of them, two at another.
        processed: 5 + 2 + 1,
        retrying: 2 + 1,
        dead_lettered: 2,
        committed: 5,
        acknowledged: 5,
    };
    assert_eq!(*figures.0.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_a_consumer_publishes_is_confirmed_before_the_acknowledgement() {
    let (_, lines) = Case::new(vec![(0, vec![log(1, "echo"), log(2, "a"), log(3, "echo")])]).run().await;
    let published = ["publish loghost:judge/1 heard", "publish loghost:judge/2 heard", "confirmed", "ack 3"];
    assert_eq!(lines[1..5], published);
}

/// What it publishes beside that, for the other logs, is published again.
#[tokio::test(start_paused = true)]
async fn a_log_because_of_which_the_broker_is_sent_what_it_never_takes_is_dead_lettered() {
    let burst = vec![log(1, "echo"), log(2, "a"), log(3, "shout"), log(4, "b")];
    let (finished, lines) = Case::new(vec![(0, burst)]).run().await;
    let acts: Vec<&String> = lines.iter().filter(|line| !line.starts_with("metric")).collect();
    let expected = [
        "process [echo/1 a/1 shout/1 b/1]",
        "publish loghost:judge/1 heard",
        "publish loghost:judge/2 too large",
        "confirmed",
        "give up",
        "process [echo/1 a/1]",
        "publish loghost:judge/3 heard",
        "confirmed",
        "process [shout/1 b/1]",
        "publish loghost:judge/4 too large",
        "confirmed",
        "give up",
        "process [shout/1]",
        "publish loghost:judge/5 too large",
        "confirmed",
        "give up",
        "dead-letter 3: trap: process: the broker does not take a log that it publishes: over the limit after 1",
        "process [b/1]",
        "ack 2",
        "ack only 4",
        "ack 3",
    ];
    assert_eq!(acts, expected);
    assert_eq!((finished.counts.accepted.total(), finished.counts.rejected.total()), (3, 1));
    assert!(matches!(finished.end, End::Shutdown), "{:?}", finished.end);
}

#[tokio::test(start_paused = true)]
async fn a_counting_consumer_sees_no_log() {
    let case = Case { processes: false, ..Case::new(vec![(0, vec![log(1, "a"), log(2, "trap")])]) };
    let (finished, lines) = case.run().await;
    assert_eq!(lines, ["ack 2", "metric 2+0-0", "metric 2+0-0 (last)"]);
    assert_eq!(finished.counts.total(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_next_attempt_holds_back_nothing_else() {
    let case = Case::new(vec![(0, vec![log(1, "a"), log(2, "once"), log(3, "b")]), (500, vec![log(4, "c")])]);
    let (finished, lines) = case.run().await;
    let acts: Vec<&String> = lines.iter().filter(|line| !line.starts_with("metric")).collect();
    assert_eq!(
        acts,
        [
            "process [a/1 once/1 b/1]",
            "ack 1",
            "ack only 3",
            "process [c/1]",
            "ack only 4",
            "process [once/2]",
            "ack 2",
        ]
    );
    assert_eq!(finished.counts.accepted[Severity::Error], 4);
}

#[tokio::test(start_paused = true)]
async fn after_too_many_attempts_a_log_is_dead_lettered() {
    let (finished, lines) = Case::new(vec![(0, vec![log(1, "retry")])]).run().await;
    let acts: Vec<&String> = lines.iter().filter(|line| !line.starts_with("metric")).collect();
    let expected = [
        "process [retry/1]",
        "process [retry/2]",
        "process [retry/3]",
        "dead-letter 1: busy after 3",
        "ack 1",
    ];
    assert_eq!(acts, expected);
    assert_eq!(finished.counts.rejected[Severity::Error], 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_taken_while_too_many_wait() {
    let held = vec![log(1, "once"), log(2, "once"), log(3, "once")];
    let options = ConsumeOptions { max_waiting: 3, ..options() };
    let (_, lines) = Case { options, ..Case::new(vec![(0, held), (1, vec![log(4, "a")])]) }.run().await;
    let acts: Vec<&String> = lines.iter().filter(|line| line.starts_with("process")).collect();
    assert_eq!(acts, ["process [once/1 once/1 once/1]", "process [once/2 once/2 once/2]", "process [a/1]"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_traps_is_split_until_the_log_stands_alone() {
    let burst = vec![log(1, "a"), log(2, "b"), log(3, "trap"), log(4, "c"), log(5, "skip")];
    let (finished, lines) = Case::new(vec![(0, burst)]).run().await;
    let expected = [
        "process [a/1 b/1 trap/1 c/1 skip/1]",
        "process [a/1 b/1]",
        "process [trap/1 c/1 skip/1]",
        "process [trap/1]",
        "dead-letter 3: trap: process: trapped after 1",
        "process [c/1 skip/1]",
        "ack 2",
        "ack only 4",
        "ack only 5",
        "ack 3",
    ];
    let acts: Vec<&String> = lines.iter().filter(|line| !line.starts_with("metric")).collect();
    assert_eq!(acts, expected);
    let counts = finished.counts;
    assert_eq!((counts.accepted.total(), counts.skipped.total(), counts.rejected.total()), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_keeps_failing_is_stopped() {
    let burst = (1..=10).map(|n| log(n, "trap")).collect();
    let (finished, lines) = Case::new(vec![(0, burst)]).run().await;
    assert!(matches!(finished.end, End::Consumer(_)), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("dead-letter")).count(), 3, "{lines:?}");
    assert_eq!(finished.counts.rejected.total(), 3);
    assert!(lines.contains(&"ack 3".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_consumer_is_left_alone_and_then_tried() {
    let burst = (1..=10).map(|n| log(n, "trap")).collect();
    let options = ConsumeOptions { probe: Some(Duration::from_secs(10)), ..options() };
    let (finished, lines) = Case { options, ..Case::new(vec![(0, burst)]) }.run().await;
    assert!(matches!(finished.end, End::Shutdown), "{lines:?}");
    assert!(finished.stopped.is_some());
    assert!(lines.contains(&"stopped for 10s: process: trapped".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_version_takes_over_between_two_batches() {
    let bursts = vec![(0, vec![log(1, "a")]), (200, vec![log(2, "b")])];
    let (finished, lines) = Case { new: Some(100), ..Case::new(bursts) }.run().await;
    let acts: Vec<&String> = lines.iter().filter(|line| !line.starts_with("metric")).collect();
    assert_eq!(acts, ["process [a/1]", "ack 1", "adjust to 2", "process [b/1]", "ack 2"]);
    assert_eq!(finished.counts.accepted.total(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_a_commit_is_under_way_the_next_one_gathers() {
    let bursts = vec![(20, vec![log(1, "a")]), (21, vec![log(2, "b")]), (22, vec![log(3, "c")])];
    let case = Case { slowness: Some(Duration::from_millis(10)), processes: false, ..Case::new(bursts) };
    let (_, lines) = case.run().await;
    let acts: Vec<&String> = lines.iter().filter(|line| !line.starts_with("metric")).collect();
    assert_eq!(acts, ["commit 0", "commit 1", "ack 1", "commit 3", "ack 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_comes_twice_is_counted_once() {
    let again = |tag| Delivery { position: Position::Transient(tag), ..log(1, "a") };
    let (finished, lines) =
        Case::new(vec![(0, vec![log(1, "a"), again(2)]), (10, vec![again(3)])]).run().await;
    assert_eq!((finished.counts.accepted.total(), finished.counts.repeated), (1, 2));
    let acts: Vec<&String> = lines.iter().filter(|line| !line.starts_with("metric")).collect();
    assert_eq!(acts, ["process [a/1]", "ack 2", "ack 3"]);
}

#[tokio::test(start_paused = true)]
async fn what_arrived_before_the_source_ended_is_counted() {
    let case = Case { then: Then::Lost, ..Case::new(vec![(0, vec![log(1, "a")])]) };
    let (finished, lines) = case.run().await;
    assert!(matches!(finished.end, End::Shutdown));
    assert!(
        lines.contains(&"ack 1".to_owned())
            && lines.contains(&"reopening: lost the connection to the broker".to_owned())
    );
    assert_eq!(finished.counts.total(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_at_exactly_as_many_logs_as_it_should() {
    let burst = (1..=9).map(|n| log(n, "a")).collect();
    let options = ConsumeOptions { max_logs: Some(4), max_batch: 3, ..options() };
    let (finished, lines) = Case { options, ..Case::new(vec![(0, burst)]) }.run().await;
    assert!(matches!(finished.end, End::Enough));
    assert_eq!(finished.counts.total(), 4);
    assert_eq!(lines.iter().filter(|line| line.starts_with("ack")).collect::<Vec<_>>(), ["ack 3", "ack 4"]);
}

/// A log that the filter does not want.
fn unwanted(n: u64, replayed: bool) -> Delivery<u64> {
    let Delivery { position, item, original } = log(n, "a");
    let Item::Log(record) = item else { panic!("it is a log") };
    Delivery { position, original, item: Item::Log(Record { severity: Severity::Debug, replayed, ..record }) }
}

fn foreign(n: u64) -> Delivery<u64> {
    Delivery { item: Item::Foreign("it came through `orders`".to_owned()), ..log(n, "") }
}

#[tokio::test(start_paused = true)]
async fn what_the_consumer_is_not_shown_goes_to_the_dead_letters() {
    let mut burst = (1..9).map(foreign).collect::<Vec<_>>();
    burst.extend([unwanted(9, false), log(10, "a"), unwanted(11, true), unwanted(12, false)]);
    let options = ConsumeOptions { max_batch: 20, max_waiting: 20, ..options() };
    let (finished, lines) = Case { options, ..Case::new(vec![(0, burst)]) }.run().await;
    let expected = [
        "not counted: it came through `orders`",
        "dead-letter 1: foreign: it came through `orders` after 0",
        "dead-letter 2: foreign: it came through `orders` after 0",
    ];
    assert_eq!(lines[..3], expected);
    let why = "the filter does not want debug logs without a source";
    let expected = [
        format!("not counted: {why}"),
        format!("dead-letter 9: unwanted: {why} after 0"),
        format!("dead-letter 11: unwanted: {why} after 0"),
        format!("dead-letter 12: unwanted: {why} after 0"),
        "process [a/1]".to_owned(),
    ];
    assert_eq!(lines[9..14], expected);
    assert!(lines.contains(&"ack 12".to_owned()), "{lines:?}");
    assert!(lines.contains(&"left uncounted: 8 foreign, 3 unwanted".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("stopped")), "these are no failures: {lines:?}");
    let counts = finished.counts;
    assert_eq!((counts.total(), counts.foreign, counts.unwanted[Severity::Debug]), (1, 8, 3));
}

/// What came before it is committed and acknowledged: only it, and what is behind it, comes again.
#[tokio::test(start_paused = true)]
async fn what_was_not_read_whole_comes_again_from_a_source_that_reads_it_whole() {
    let case = Case {
        processes: false,
        dead_lettering: DeadLettering::Unread,
        ..Case::new(vec![(0, vec![log(1, "a"), log(2, "b"), foreign(3), log(4, "c")])])
    };
    let (finished, lines) = case.run().await;
    assert_eq!(lines[..3], ["ack 2", "keep", "reopening: needs its messages whole from now on"]);
    assert_eq!((finished.counts.total(), finished.counts.foreign), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn full_batches_wait_for_the_marker() {
    let marker = Delivery { item: Item::Marker, ..log(6, "") };
    let options = ConsumeOptions { batching: Batching::Full, max_batch: 3, ..options() };
    let bursts = vec![
        (0, vec![log(1, "a")]),
        (10, vec![log(2, "b"), log(3, "c"), log(4, "d")]),
        (20, vec![log(5, "e"), marker]),
    ];
    let (finished, lines) = Case { options, ..Case::new(bursts) }.run().await;
    assert!(matches!(finished.end, End::Marker));
    let acts: Vec<&String> = lines.iter().filter(|line| line.starts_with("process")).collect();
    assert_eq!(acts, ["process [a/1 b/1 c/1]", "process [d/1 e/1]"]);
}

#[tokio::test(start_paused = true)]
async fn the_marker_ends_the_run_when_no_log_waits_any_more() {
    let marker = Delivery { item: Item::Marker, ..log(3, "") };
    let (finished, lines) = Case::new(vec![(0, vec![log(1, "once"), log(2, "a"), marker])]).run().await;
    assert!(matches!(finished.end, End::Marker));
    assert_eq!(finished.counts.accepted[Severity::Error], 2);
    let acts: Vec<&String> = lines.iter().filter(|line| line.starts_with("process")).collect();
    assert_eq!(acts, ["process [once/1 a/1]", "process [once/2]"]);
}

#[tokio::test(start_paused = true)]
async fn metrics_come_at_most_as_often_as_asked_and_at_the_end() {
    let bursts = (0..30).map(|n| (n * 100, vec![log(n + 1, "a")])).collect();
    let case = Case { processes: false, until: 10, ..Case::new(bursts) };
    let (_, lines) = case.run().await;
    let metrics: Vec<&String> = lines.iter().filter(|line| line.starts_with("metric")).collect();
    // At 0 s, 1 s, 2 s and 3 s, and at the end; silence is not reported.
    assert_eq!(metrics.len(), 5, "{metrics:?}");
    assert_eq!(metrics.last().unwrap().as_str(), "metric 30+0-0 (last)");
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_after_a_metric_while_a_commit_was_under_way_is_shown() {
    let bursts = vec![(20, vec![log(1, "a")]), (21, vec![log(2, "b")])];
    let options = ConsumeOptions { every: Duration::from_millis(2), ..options() };
    let slowness = Some(Duration::from_millis(10));
    let case = Case { slowness, options, processes: false, ..Case::new(bursts) };
    let (_, lines) = case.run().await;
    let metrics: Vec<&String> = lines.iter().filter(|line| line.starts_with("metric")).collect();
    assert_eq!(metrics, ["metric 1+0-0", "metric 2+0-0", "metric 2+0-0 (last)"]);
}
