//! Deliveries in which there are several logs, each of which is processed by itself.

use loghost_core::application::{ConsumeOptions, Delivery, Item, Reads};
use loghost_core::domain::{Record, Severity};
use loghost_core::testing::{logs, options};

use crate::case::{Case, log, without_metrics};

/// A delivery of these texts; a log that begins with `debug` is one that the filter does not want.
fn several(n: u64, texts: &[&str]) -> Delivery<u64> {
    let record = |text: &&str| {
        let severity = if text.starts_with("debug") { Severity::Debug } else { Severity::Error };
        Record { severity, id: None, ..logs::error_record(n, text) }
    };
    Delivery { item: Item::Logs(texts.iter().map(record).collect()), ..log(n, "") }
}

#[tokio::test(start_paused = true)]
async fn it_is_acknowledged_when_the_last_of_them_is_finished() {
    let burst = vec![
        log(1, "a"),
        several(2, &["b", "once", "reject", "debug"]),
        log(3, "c"),
        several(4, &["d", "e"]),
    ];
    let (finished, lines) = Case::new(vec![(0, burst)]).run().await;
    let expected = [
        "process [a/1 b/1 once/1 reject/1 c/1 d/1 e/1]",
        "dead-letter 2 (3/4: reject): bad after 1",
        "ack 1",
        "ack only 3",
        "ack only 4",
        "process [once/2]",
        "ack 2",
        "left uncounted: 1 passed by",
    ];
    let mut lines = without_metrics(&lines);
    // When a dead letter is written depends on nothing here.
    lines.sort_by_key(|line| expected.iter().position(|expected| expected == line));
    assert_eq!(lines, expected);
    let counts = finished.counts;
    assert_eq!((counts.accepted.total(), counts.rejected.total(), counts.unwanted.total()), (6, 1, 0));
    assert_eq!(counts.without_id, 5);
}

#[tokio::test(start_paused = true)]
async fn the_consumer_is_never_shown_more_than_it_takes_at_once() {
    let options = ConsumeOptions { max_batch: 2, ..options() };
    let (_, lines) =
        Case { options, ..Case::new(vec![(0, vec![several(1, &["a", "b", "c", "d", "e"])])]) }.run().await;
    let expected = ["process [a/1 b/1]", "process [c/1 d/1]", "process [e/1]", "ack 1"];
    assert_eq!(without_metrics(&lines), expected);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_only_counts_counts_each() {
    let burst = vec![several(1, &["a", "debug", "b"]), several(2, &["debug"])];
    let (finished, lines) = Case { reads: Reads::Counts, ..Case::new(vec![(0, burst)]) }.run().await;
    assert_eq!(without_metrics(&lines), ["ack 2", "left uncounted: 2 passed by"]);
    assert_eq!(finished.counts.accepted[Severity::Error], 2);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_say_how_serious_it_is_is_counted_and_told() {
    let Delivery { item: Item::Logs(mut records), .. } = several(1, &["a", "b", "reject"]) else {
        panic!("logs")
    };
    records[1].undetermined = true;
    records[2].undetermined = true;
    let burst = vec![Delivery { item: Item::Logs(records), ..log(1, "") }];
    let (finished, _) = Case::new(vec![(0, burst)]).run().await;
    assert_eq!((finished.counts.total(), finished.counts.undetermined), (3, 2));
}
