//! Logs that wait for their next attempt.

use loghost_core::application::ConsumeOptions;
use loghost_core::domain::Severity;
use loghost_core::testing::options;

use crate::case::{Case, log, starting_with, without_metrics};

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_next_attempt_holds_back_nothing_else() {
    let case = Case::new(vec![(0, vec![log(1, "a"), log(2, "once"), log(3, "b")]), (500, vec![log(4, "c")])]);
    let (finished, lines) = case.run().await;
    assert_eq!(
        without_metrics(&lines),
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
    let expected = [
        "process [retry/1]",
        "process [retry/2]",
        "process [retry/3]",
        "dead-letter 1: busy after 3",
        "ack 1",
    ];
    assert_eq!(without_metrics(&lines), expected);
    assert_eq!(finished.counts.rejected[Severity::Error], 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_taken_while_too_many_wait() {
    let waiting = vec![log(1, "once"), log(2, "once"), log(3, "once")];
    let options = ConsumeOptions { max_waiting: 3, ..options() };
    let (_, lines) = Case { options, ..Case::new(vec![(0, waiting), (1, vec![log(4, "a")])]) }.run().await;
    assert_eq!(
        starting_with("process", &lines),
        ["process [once/1 once/1 once/1]", "process [once/2 once/2 once/2]", "process [a/1]"]
    );
}
