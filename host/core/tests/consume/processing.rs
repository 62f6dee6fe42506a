//! What the consumer is given, and what happens when it fails.

use std::time::Duration;

use loghost_core::application::{ConsumeOptions, End, Reads};
use loghost_core::domain::Timestamp;
use loghost_core::testing::options;

use crate::case::{Case, Told, log, starting_with, without_metrics};

#[tokio::test(start_paused = true)]
async fn a_batch_is_processed_committed_and_then_acknowledged() {
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

#[tokio::test(start_paused = true)]
async fn a_counting_consumer_sees_no_log() {
    let case = Case { reads: Reads::Counts, ..Case::new(vec![(0, vec![log(1, "a"), log(2, "trap")])]) };
    let (finished, lines) = case.run().await;
    assert_eq!(lines, ["ack 2", "metric 2+0-0", "metric 2+0-0 (last)"]);
    assert_eq!(finished.counts.total(), 2);
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
    assert_eq!(without_metrics(&lines), expected);
    let counts = finished.counts;
    assert_eq!((counts.accepted.total(), counts.skipped.total(), counts.rejected.total()), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_keeps_failing_is_stopped() {
    let burst = (1..=10).map(|n| log(n, "trap")).collect();
    let (finished, lines) = Case::new(vec![(0, burst)]).run().await;
    assert!(matches!(finished.end, End::Consumer(_)), "{lines:?}");
    assert_eq!(starting_with("dead-letter", &lines).len(), 3, "{lines:?}");
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
    let (finished, lines) = Case { told: vec![(100, Told::NewVersion)], ..Case::new(bursts) }.run().await;
    assert_eq!(without_metrics(&lines), ["process [a/1]", "ack 1", "adjust to 2", "process [b/1]", "ack 2"]);
    assert_eq!(finished.counts.accepted.total(), 2);
}
