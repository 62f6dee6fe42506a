//! Deliveries that are not counted: repetitions, and what the consumer is not shown.

use loghost_core::application::{ConsumeOptions, DeadLettering, Delivery, Item, Reads};
use loghost_core::domain::{Position, Record, Severity};
use loghost_core::testing::options;

use crate::case::{Case, log, without_metrics};

#[tokio::test(start_paused = true)]
async fn a_log_that_comes_twice_is_counted_once() {
    let again = |tag| Delivery { position: Position::Transient(tag), ..log(1, "a") };
    let (finished, lines) =
        Case::new(vec![(0, vec![log(1, "a"), again(2)]), (10, vec![again(3)])]).run().await;
    assert_eq!((finished.counts.accepted.total(), finished.counts.repeated), (1, 2));
    assert_eq!(without_metrics(&lines), ["process [a/1]", "ack 2", "ack 3"]);
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
    assert!(
        lines.contains(&"left uncounted: 8 foreign, 0 undeliverable, 3 unwanted".to_owned()),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.starts_with("stopped")), "these are no failures: {lines:?}");
    let counts = finished.counts;
    assert_eq!((counts.total(), counts.foreign, counts.unwanted[Severity::Debug]), (1, 8, 3));
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_could_not_deliver_goes_to_the_dead_letters() {
    let undeliverable = Delivery { item: Item::Undeliverable("taken out".to_owned()), ..log(1, "") };
    let (finished, lines) = Case::new(vec![(0, vec![undeliverable]), (10, vec![log(2, "a")])]).run().await;
    assert_eq!(lines[..2], ["not counted: taken out", "dead-letter 1: undeliverable: taken out after 0"]);
    assert!(lines.contains(&"ack 1".to_owned()), "{lines:?}");
    assert!(
        lines.contains(&"left uncounted: 0 foreign, 1 undeliverable, 0 unwanted".to_owned()),
        "{lines:?}"
    );
    assert_eq!((finished.counts.total(), finished.counts.undeliverable), (1, 1));
}

/// What came before it is committed and acknowledged: only it, and what is behind it, comes again.
#[tokio::test(start_paused = true)]
async fn what_was_not_read_whole_comes_again_from_a_source_that_reads_it_whole() {
    let case = Case {
        reads: Reads::Counts,
        dead_lettering: DeadLettering::Unread,
        ..Case::new(vec![(0, vec![log(1, "a"), log(2, "b"), foreign(3), log(4, "c")])])
    };
    let (finished, lines) = case.run().await;
    assert_eq!(lines[..3], ["ack 2", "keep", "reopening: needs its messages whole from now on"]);
    assert_eq!((finished.counts.total(), finished.counts.foreign), (2, 0));
}
