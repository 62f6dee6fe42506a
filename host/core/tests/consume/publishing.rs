//! What the consumer publishes.

use std::time::Duration;

use loghost_core::application::End;
use loghost_core::testing::SinkAnswer;

use crate::case::{Case, log, without_metrics};

/// The commit takes longer than processing the next batch, whose logs nobody takes.
#[tokio::test(start_paused = true)]
async fn what_is_finished_is_acknowledged_while_publishing_takes_long() {
    let mut case = Case::new(vec![(0, vec![log(1, "a")]), (1, vec![log(2, "echo")])]);
    (case.commit_delay, case.answer) = (Some(Duration::from_secs(1)), SinkAnswer::Never);
    let (finished, lines) = case.run().await;
    assert_eq!(lines[..2], ["process [a/1]", "process [echo/1]"]);
    let position = |what: &str| lines.iter().position(|line| line.starts_with(what)).expect(what);
    assert!(position("ack 1") < position("give up"), "{lines:?}");
    assert!(position("give up") < position("reopening"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("ack") && line.contains('2')), "{lines:?}");
    assert_eq!(finished.counts.total(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_consumer_publishes_is_confirmed_before_the_acknowledgement() {
    let (_, lines) = Case::new(vec![(0, vec![log(1, "echo"), log(2, "a"), log(3, "echo")])]).run().await;
    let published =
        ["publish loghost:tester/1 heard", "publish loghost:tester/2 heard", "confirmed", "ack 3"];
    assert_eq!(lines[1..5], published);
}

/// What it publishes beside that, for the other logs, is published again.
#[tokio::test(start_paused = true)]
async fn a_log_because_of_which_the_broker_is_sent_what_it_never_takes_is_dead_lettered() {
    let burst = vec![log(1, "echo"), log(2, "a"), log(3, "shout"), log(4, "b")];
    let (finished, lines) = Case::new(vec![(0, burst)]).run().await;
    let expected = [
        "process [echo/1 a/1 shout/1 b/1]",
        "publish loghost:tester/1 heard",
        "publish loghost:tester/2 too large",
        "confirmed",
        "give up",
        "process [echo/1 a/1]",
        "publish loghost:tester/3 heard",
        "confirmed",
        "process [shout/1 b/1]",
        "publish loghost:tester/4 too large",
        "confirmed",
        "give up",
        "process [shout/1]",
        "publish loghost:tester/5 too large",
        "confirmed",
        "give up",
        "dead-letter 3: trap: process: the broker does not take a log that it publishes: over the limit after 1",
        "process [b/1]",
        "ack 2",
        "ack only 4",
        "ack 3",
    ];
    assert_eq!(without_metrics(&lines), expected);
    assert_eq!((finished.counts.accepted.total(), finished.counts.rejected.total()), (3, 1));
    assert!(matches!(finished.end, End::Shutdown), "{:?}", finished.end);
}
