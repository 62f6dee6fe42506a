//! `loghost run --queue-type stream` that ends while a log waits for its retry.

use lapin::BasicProperties;
use libtest_mimic::Trial;

use super::streams::{run, running};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::guest::{Then, guest, seen};
use crate::support::metrics::{counts, errors, last_of};

pub(crate) fn trials() -> Vec<Trial> {
    on(
        [Kind::RabbitMq, Kind::Stream],
        "streams::what_is_finished_behind_a_retry_is_counted_once",
        what_is_finished_behind_a_retry,
    )
}

/// Those behind it are read again, as is the one that waits, and recognised.
fn what_is_finished_behind_a_retry(broker: &Broker) {
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    let publish = |logs: &[&str]| {
        let log = |text: &&str| (&*exchange, "web", (*text).to_owned(), BasicProperties::default());
        outside.publish_all(logs.iter().map(log));
    };
    for signal in [Signal::Kill, Signal::Terminate] {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let later = Then::Retry("not yet".to_owned());
        let patient = guest("error").severities(&["error"]).on("retry", later).write(folder.path());
        let host = running(broker, &patient, &state);
        publish(&["one", "retry", "two", "three", "retry too", "four"]);
        counts(&host, "error", [4, 0]);
        drop(host.end_by(signal));

        publish(&["five"]);
        let mended = guest("error").severities(&["error"]).transcribes().write(folder.path());
        let again = || run(broker, &mended).arg("--state").arg(&state).args(["--until-idle", "500ms"]);
        let output = again().end().exits(0);
        let metric = last_of(&output.stdout, "error");
        assert_eq!(errors(&metric), [7, 0], "{signal:?}: {output}");
        assert_eq!(metric["repeated"], 3, "two, three and four: {output}");
        let shown = seen(&output.stderr, "error");
        let shown: Vec<&str> = shown.iter().map(|seen| &*seen.message).collect();
        assert_eq!(shown, ["retry", "retry too", "five"], "{output}");
        // All of it is finished.
        let output = again().end().exits(0);
        assert_eq!(errors(&last_of(&output.stdout, "error")), [7, 0], "{output}");
        assert!(seen(&output.stderr, "error").is_empty(), "{output}");
    }
}
