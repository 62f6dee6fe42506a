//! A consumer that is paused.

use loghost_core::application::End;

use crate::case::{Case, Told, log, without_metrics};

#[tokio::test(start_paused = true)]
async fn what_is_in_hand_is_finished_and_nothing_more_is_taken() {
    let bursts = vec![(0, vec![log(1, "a")]), (100, vec![log(2, "b")])];
    let case = Case { told: vec![(50, Told::Pause)], ..Case::new(bursts) };
    let (finished, lines) = case.run().await;
    assert!(matches!(finished.end, End::Shutdown));
    assert_eq!(finished.counts.total(), 1);
    assert_eq!(without_metrics(&lines), ["process [a/1]", "ack 1", "paused"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_another_attempt_comes_again() {
    let case = Case { told: vec![(1, Told::Pause)], ..Case::new(vec![(0, vec![log(1, "retry")])]) };
    let (finished, lines) = case.run().await;
    assert_eq!(finished.counts.total(), 0);
    assert_eq!(without_metrics(&lines), ["process [retry/1]", "paused"]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_once_it_is_resumed() {
    use Told::{NewVersion, Pause, Resume};
    // What is told twice is as if it were told once; a new version does not resume it.
    let told = vec![(10, Resume), (50, Pause), (60, Pause), (70, NewVersion), (80, Resume), (90, Resume)];
    let case = Case { told, ..Case::new(vec![(0, vec![log(1, "a")])]) };
    let (_, lines) = case.run().await;
    assert_eq!(without_metrics(&lines), ["process [a/1]", "ack 1", "paused", "resumed"]);
}
