//! Replaying and comparing, with fakes: what is found, and what is counted, in one batch and across batches.

use std::sync::Arc;

use loghost_core::application::{
    Cause, ConsumerError, Difference, Extent, Fate, NotCounted, PastLog, PastLogs, PastPosition, Publish,
    Reads, ReplayObserver, ReplayOptions, Replayed, ReportError, SourceError, Tolerance, compare, replay,
};
use loghost_core::domain::{Outcome, Processed, Record, Severity, Verdict};
use loghost_core::testing::logs::error_record;
use loghost_core::testing::{Calls, FakeClock, FakeConsumer, FakeSink, descriptor};

type Process = fn(&[Record]) -> Result<Processed, ConsumerError>;

/// These logs, as many at once as are asked for.
struct Past(Vec<PastLog>);

impl PastLogs for Past {
    async fn next(&mut self, logs: &mut Vec<PastLog>, max: usize) -> Result<(), SourceError> {
        let taken = self.0.len().min(max - logs.len());
        logs.extend(self.0.drain(..taken));
        Ok(())
    }

    fn extent(&self) -> Extent {
        Extent::default()
    }
}

/// The offsets of what was found, with what was said of it.
#[derive(Default)]
struct Found(Vec<String>);

impl ReplayObserver for Found {
    fn not_counted(&mut self, log: &NotCounted<'_>) -> Result<(), ReportError> {
        self.0.push(format!("{} {:?} {}", log.position.offset, log.cause, log.attempts));
        Ok(())
    }

    fn differs(&mut self, Difference { position, answers, .. }: &Difference<'_>) -> Result<(), ReportError> {
        let [one, other] = answers.map(|answer| match &answer.fate {
            Fate::Dead(cause, _) => format!("{cause:?}"),
            fate => format!("{fate:?}"),
        });
        self.0.push(format!("{} {one} {other}", position.offset));
        Ok(())
    }

    fn progress(&mut self, _: Extent) {}
}

/// Logs of these texts, with ids by their index, each from 1.
fn past(messages: &[&str]) -> Past {
    let log = |(n, message): (u64, &&str)| PastLog {
        position: PastPosition {
            severity: Some(Severity::Error),
            stream: Arc::from("logs.error"),
            offset: n,
        },
        log: Ok(error_record(n + 1, message)),
    };
    Past((0..).zip(messages).map(log).collect())
}

fn consumer(process: Process) -> FakeConsumer {
    let descriptor = descriptor("error", [Severity::Error]);
    FakeConsumer { descriptor, reads: Reads::Logs, process, calls: Calls::default() }
}

fn options(max_batch: usize) -> ReplayOptions {
    let tolerance = Tolerance { failures: 3, window: 3 };
    ReplayOptions { max_batch, max_retries: 2, tolerance }
}

/// Fails at `trap`, rejects `bad`, and wants to retry `later` until its third attempt and `never` for ever.
fn picky(batch: &[Record]) -> Result<Processed, ConsumerError> {
    if batch.iter().any(|log| log.message == "trap") {
        return Err(ConsumerError { call: "process", reason: "it trapped".to_owned(), backtrace: None });
    }
    let outcome = |log: &Record| match &*log.message {
        "bad" => Some(Outcome::Reject("bad".to_owned())),
        "later" if log.attempt < 3 => Some(Outcome::Retry("later".to_owned())),
        "never" => Some(Outcome::Retry("never".to_owned())),
        "skip" => Some(Outcome::Skip),
        _ => None,
    };
    let verdicts = batch.iter().enumerate();
    let verdicts = verdicts.filter_map(|(index, log)| Some(Verdict { index, outcome: outcome(log)? }));
    Ok(Processed { verdicts: verdicts.collect(), publish: Vec::new() })
}

fn lenient(_: &[Record]) -> Processed {
    Processed::default()
}

async fn replayed(mut logs: Past, max_batch: usize) -> (Replayed, Vec<String>) {
    let mut found = Found::default();
    let consumers = [(consumer(picky), None::<Publish<FakeSink, FakeClock>>)];
    let mut all = replay(&mut logs, consumers, options(max_batch), &mut found).await.expect("an end");
    (all.pop().expect("one consumer"), found.0)
}

#[tokio::test]
async fn batches_do_not_matter() {
    let messages = ["good", "bad", "later", "trap", "skip", "never", "good", "trap", "later"];
    for max_batch in [1, 2, 4, 100] {
        let (replayed, found) = replayed(past(&messages), max_batch).await;
        assert_eq!(replayed.text.as_deref(), Ok("4+1-4"), "{max_batch}");
        assert_eq!(
            found,
            ["1 Rejected 1", "3 Trapped 1", "5 RetriesExhausted 3", "7 Trapped 1"],
            "{max_batch}"
        );
    }
}

#[tokio::test]
async fn a_log_that_comes_twice_counts_once() {
    for max_batch in [1, 100] {
        let mut twice = past(&["good", "bad", "good", "bad", "good"]);
        for (n, id) in [(2, 1), (3, 2)] {
            twice.0[n].log.as_mut().expect("a log").id = Some(format!("loghost:p/{id}"));
        }
        let (replayed, found) = replayed(twice, max_batch).await;
        assert_eq!((replayed.counts.accepted.total(), replayed.counts.repeated), (2, 2), "{max_batch}");
        assert_eq!(found, ["1 Rejected 1"], "{max_batch}");
    }
}

#[tokio::test]
async fn what_is_no_log_is_found() {
    let mut logs = past(&["good", "x"]);
    logs.0[1].log = Err("no text".to_owned());
    let (replayed, found) = replayed(logs, 100).await;
    assert_eq!((replayed.counts.foreign, replayed.counts.total()), (1, 1));
    assert_eq!(found, [format!("1 {:?} 0", Cause::Foreign)]);
}

#[tokio::test]
async fn one_that_keeps_failing_is_shown_no_more() {
    let (replayed, found) = replayed(past(&["trap"; 8]), 2).await;
    assert!(replayed.stopped.is_some());
    assert_eq!((found.len(), replayed.counts.total()), (3, 3));
}

#[tokio::test]
async fn two_differ_where_they_differ() {
    let messages = ["good", "bad", "later", "trap", "skip", "good"];
    for max_batch in [1, 4, 100] {
        let (mut logs, mut found) = (past(&messages), Found::default());
        let both = [consumer(picky), consumer(|batch: &[Record]| Ok(lenient(batch)))];
        let comparing = compare::<_, FakeSink, FakeClock>(&mut logs, both, options(max_batch), &mut found);
        let compared = comparing.await.expect("an end");
        assert_eq!(
            found.0,
            ["1 Rejected Accepted", "2 Accepted Accepted", "3 Trapped Accepted", "4 Skipped Accepted"],
            "{max_batch}"
        );
        assert_eq!(compared.differences, 4);
    }
    let (mut logs, mut found) = (past(&messages), Found::default());
    let same = [consumer(picky), consumer(picky)];
    let comparing = compare::<_, FakeSink, FakeClock>(&mut logs, same, options(3), &mut found);
    assert_eq!((comparing.await.expect("an end").differences, found.0.len()), (0, 0));
    // What one was not shown says nothing of it.
    let (mut logs, mut found) = (past(&["trap"; 8]), Found::default());
    let both = [consumer(picky), consumer(|batch: &[Record]| Ok(lenient(batch)))];
    let comparing = compare::<_, FakeSink, FakeClock>(&mut logs, both, options(100), &mut found);
    assert_eq!((comparing.await.expect("an end").differences, found.0.len()), (3, 3));
}
