//! How a run ends.

use loghost_core::application::{Batching, ConsumeOptions, Delivery, End, Item};
use loghost_core::domain::Severity;
use loghost_core::testing::{SourceEnd, options};

use crate::case::{Case, log, starting_with};

#[tokio::test(start_paused = true)]
async fn what_arrived_before_the_source_ended_is_counted() {
    let case = Case { end: SourceEnd::Lost, ..Case::new(vec![(0, vec![log(1, "a")])]) };
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
    assert_eq!(starting_with("ack", &lines), ["ack 3", "ack 4"]);
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
    assert_eq!(starting_with("process", &lines), ["process [a/1 b/1 c/1]", "process [d/1 e/1]"]);
}

#[tokio::test(start_paused = true)]
async fn the_marker_ends_the_run_when_no_log_waits_any_more() {
    let marker = Delivery { item: Item::Marker, ..log(3, "") };
    let (finished, lines) = Case::new(vec![(0, vec![log(1, "once"), log(2, "a"), marker])]).run().await;
    assert!(matches!(finished.end, End::Marker));
    assert_eq!(finished.counts.accepted[Severity::Error], 2);
    assert_eq!(starting_with("process", &lines), ["process [once/1 a/1]", "process [once/2]"]);
}
