//! A run of the use case, and what is called in it.

use std::sync::Arc;
use std::time::Duration;

use loghost_core::application::{
    Adapters, Consume, ConsumeOptions, ConsumerError, Control, DeadLettering, Delivery, Finished, Observer,
    Publish, Reads, Receipts,
};
use loghost_core::domain::{
    Attributes, Descriptor, Log, Outcome, Processed, Producer, Record, Sequencer, Severity, Verdict,
};
use loghost_core::testing::{
    Calls, FakeClock, FakeConsumer, FakeLedger, FakeObserver, FakeSink, FakeSource, SinkAnswer, SourceEnd,
    adapters, delivery, descriptor, logs, options,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// Bursts of deliveries, and after how many milliseconds they come.
type Bursts = Vec<(u64, Vec<Delivery<u64>>)>;

/// A consumer, what it is given, and what is around it.
pub(crate) struct Case {
    pub(crate) reads: Reads,
    pub(crate) bursts: Bursts,
    /// How many the source says that it hands out unacknowledged.
    pub(crate) most_unacknowledged: Option<usize>,
    pub(crate) end: SourceEnd,
    pub(crate) dead_lettering: DeadLettering,
    pub(crate) options: ConsumeOptions,
    /// How long each commit takes.
    pub(crate) commit_delay: Option<Duration>,
    /// When what the consumer publishes is answered.
    pub(crate) answer: SinkAnswer,
    /// What it is told, and after how many milliseconds.
    pub(crate) told: Vec<(u64, Told)>,
    /// The seconds after which the run is asked to end.
    pub(crate) until: u64,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) calls: Calls,
}

/// What a consumer is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    NewVersion,
    Pause,
    Resume,
}

impl Case {
    pub(crate) fn new(bursts: Bursts) -> Self {
        let calls = Calls::recorded();
        Self {
            reads: Reads::Logs,
            bursts,
            most_unacknowledged: None,
            end: SourceEnd::Silence,
            dead_lettering: DeadLettering::Ready(()),
            options: options(),
            commit_delay: None,
            answer: SinkAnswer::AtOnce,
            told: Vec::new(),
            until: 60,
            observer: Arc::new(FakeObserver(calls.clone())),
            calls,
        }
    }

    /// How it ended, and what was called.
    pub(crate) async fn run(self) -> (Finished, Vec<String>) {
        let Self { reads, most_unacknowledged, end, dead_lettering, calls, .. } = self;
        let begin = Instant::now();
        let deliveries = self.bursts.into_iter().flat_map(|(at, burst)| {
            let at = begin + Duration::from_millis(at);
            burst.into_iter().map(move |delivery| (at, delivery))
        });
        let source = FakeSource {
            deliveries: deliveries.collect(),
            burst: usize::MAX,
            most_unacknowledged,
            end,
            dead_lettering,
            calls: calls.clone(),
        };
        let consumer = |version: &str| {
            let descriptor =
                Descriptor { version: version.to_owned(), ..descriptor("tester", [Severity::Error]) };
            FakeConsumer { descriptor, reads, process: as_told, calls: calls.clone() }
        };
        let sink = FakeSink { calls: calls.clone(), answer: self.answer, receipts: Receipts::default() };
        let producer = Producer::new("tester").unwrap();
        let (control, controls) = mpsc::channel(1);
        for (millis, told) in self.told {
            let (told_by, second) = (control.clone(), consumer("2"));
            tokio::spawn(async move {
                sleep_until(begin + Duration::from_millis(millis)).await;
                let control = match told {
                    Told::NewVersion => Control::Replace(second, oneshot::channel().0),
                    Told::Pause => Control::Pause,
                    Told::Resume => Control::Resume,
                };
                told_by.send(control).await
            });
        }
        let adapters = Adapters {
            ledger: FakeLedger { calls: calls.clone(), delay: self.commit_delay },
            observer: self.observer,
            derived: Some(Publish::new(sink, Sequencer::new(producer), FakeClock)),
            controls,
            ..adapters(source, consumer("1"))
        };
        let mut consume = Consume::new(adapters, self.options);
        consume.open().await.unwrap();
        let finished = consume.run(sleep_until(begin + Duration::from_secs(self.until))).await;
        // In every case the source is closed once, and nothing is asked of it after that.
        let mut lines = calls.lines();
        let close = lines.iter().position(|line| line == "close").expect("the source is closed");
        lines.remove(close);
        assert!(
            lines[close..].iter().all(|line| [
                "metric",
                "stopped",
                "reopening",
                "left uncounted",
                "paused",
                "resumed"
            ]
            .iter()
            .any(|word| line.starts_with(word))),
            "{lines:?}"
        );
        (finished, lines)
    }
}

/// Does what the message of each log says.
fn as_told(batch: &[Record]) -> Result<Processed, ConsumerError> {
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
    let published = |record: &Record| {
        let message = match record.message.as_str() {
            "echo" => "heard",
            "shout" => "too large",
            _ => return None,
        };
        let (severity, message) = (record.severity, message.to_owned());
        Some(Log {
            severity,
            message,
            source: None,
            timestamp: None,
            attributes: Attributes::default(),
            hops: 0,
        })
    };
    let publish = batch.iter().filter_map(published).collect();
    Ok(Processed { verdicts, publish })
}

/// The delivery number `n`, of the log with this id and message.
pub(crate) fn log(n: u64, message: &str) -> Delivery<u64> {
    delivery(n, logs::error_record(n, message))
}

/// What was called, but for metrics.
pub(crate) fn without_metrics(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).filter(|line| !line.starts_with("metric")).collect()
}

/// The calls that begin with `word`.
pub(crate) fn starting_with<'a>(word: &str, lines: &'a [String]) -> Vec<&'a str> {
    lines.iter().map(String::as_str).filter(|line| line.starts_with(word)).collect()
}
