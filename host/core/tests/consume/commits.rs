//! When commits are made, and metrics shown.

use std::time::Duration;

use loghost_core::application::{ConsumeOptions, Reads};
use loghost_core::testing::options;

use crate::case::{Case, log, starting_with, without_metrics};

#[tokio::test(start_paused = true)]
async fn while_a_commit_is_under_way_the_next_one_gathers() {
    let bursts = vec![(20, vec![log(1, "a")]), (21, vec![log(2, "b")]), (22, vec![log(3, "c")])];
    let case =
        Case { commit_delay: Some(Duration::from_millis(10)), reads: Reads::Counts, ..Case::new(bursts) };
    let (_, lines) = case.run().await;
    assert_eq!(without_metrics(&lines), ["commit 0", "commit 1", "ack 1", "commit 3", "ack 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_waits_for_half_of_what_the_source_hands_out() {
    let options = || ConsumeOptions { max_waiting: 3, pace: Duration::from_secs(1), ..options() };
    for (most_unacknowledged, expected) in [
        (None, ["ack 3", "ack 4"].as_slice()),
        (Some(4), &["ack 2", "ack 4"]),
        (Some(8), &["ack 4"]),
        (Some(80), &["ack 4"]),
    ] {
        let bursts = (1..=4).map(|n| (20 + n, vec![log(n, "a")])).collect();
        let case =
            Case { most_unacknowledged, options: options(), reads: Reads::Counts, ..Case::new(bursts) };
        let (_, lines) = case.run().await;
        assert_eq!(without_metrics(&lines), expected, "{most_unacknowledged:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_come_at_most_as_often_as_asked_and_at_the_end() {
    let bursts = (0..30).map(|n| (n * 100, vec![log(n + 1, "a")])).collect();
    let case = Case { reads: Reads::Counts, until: 10, ..Case::new(bursts) };
    let (_, lines) = case.run().await;
    let metrics = starting_with("metric", &lines);
    // At 0 s, 1 s, 2 s and 3 s, and at the end; silence is not reported.
    assert_eq!(metrics.len(), 5, "{metrics:?}");
    assert_eq!(*metrics.last().unwrap(), "metric 30+0-0 (last)");
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_after_a_metric_while_a_commit_was_under_way_is_shown() {
    let bursts = vec![(20, vec![log(1, "a")]), (21, vec![log(2, "b")])];
    let options = ConsumeOptions { every: Duration::from_millis(2), ..options() };
    let commit_delay = Some(Duration::from_millis(10));
    let case = Case { commit_delay, options, reads: Reads::Counts, ..Case::new(bursts) };
    let (_, lines) = case.run().await;
    let metrics = starting_with("metric", &lines);
    assert_eq!(metrics, ["metric 1+0-0", "metric 2+0-0", "metric 2+0-0 (last)"]);
}
