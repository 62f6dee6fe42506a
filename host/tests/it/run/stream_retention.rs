//! `loghost run --queue-type stream` where retention has removed what was not read: said, counted, and no crash.

use std::path::Path;
use std::time::Duration;

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::streams::{KINDS, plugin, publish, run, running};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Signal, loghost};
use crate::support::guest::{Then, guest};
use crate::support::http::Http;
use crate::support::metrics::{counts, errors, last_of};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(KINDS, "streams::what_was_removed_is_said", what_was_removed_is_said),
        // Later versions begin a segment with a log.
        on(
            [Kind::RabbitMq],
            "streams::what_was_removed_before_it_began_is_no_loss",
            what_was_removed_before_it_began,
        ),
        on(KINDS, "streams::a_slow_consumer_is_cut_off", a_slow_consumer_is_cut_off),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How many logs [`read_and_cut_off`] has published, and how many of them were counted.
pub(super) const PUBLISHED: u64 = 204;
pub(super) const COUNTED: u64 = 3;

/// Has the first logs of a stream counted, and others published until retention has removed more than those.
#[track_caller]
pub(super) fn read_and_cut_off(broker: &Broker, state: &Path) {
    let (outside, stream) = (broker.outside(), broker.exchange("error"));
    outside.declare_bounded_stream(&stream, 200_000, 50_000);
    let host = running(broker, &plugin(), state);
    publish(&outside, broker, 3);
    counts(&host, "error", [COUNTED, 0]);
    host.end_by(Signal::Terminate).exits(0);
    let text = "x".repeat(10_000);
    for _ in 0..5 {
        let log = || (&*stream, "web", text.clone(), BasicProperties::default());
        outside.publish_all((0..40).map(|_| log()));
    }
    // When a segment has just begun, it may be the only one.
    publish(&outside, broker, 1);
}

fn what_was_removed_is_said(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    read_and_cut_off(broker, folder.path());
    let run = || run(broker, &plugin()).arg("--state").arg(folder.path());
    let output = run().args(["--until-idle", "500ms"]).end().exits(0);
    let output = output.says("were removed before they were read").says("from 3 to");
    let [accepted, _] = errors(&last_of(&output.stdout, "error"));
    assert!((COUNTED + 1..PUBLISHED).contains(&accepted), "{output}");
    // It is said once, and what is left is counted once.
    let again = run().args(["--until-idle", "500ms"]).end().exits(0).does_not_say("were removed");
    assert_eq!(errors(&last_of(&again.stdout, "error"))[0], accepted, "{again}");
}

/// Retention removes everything when a segment has just begun: then the stream has no log and no first offset.
fn what_was_removed_before_it_began(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (outside, stream) = (broker.outside(), broker.exchange("error"));
    let run = || {
        let run = run(broker, &plugin()).args(["--retain-bytes", "20KB", "--segment-bytes", "50KB"]);
        run.arg("--state").arg(folder.path())
    };
    run().arg("--declare-only").end().exits(0);
    let log = || (&*stream, "web", "x".repeat(10_000), BasicProperties::default());
    let is_empty = (0..50).any(|_| {
        outside.publish_all([log()]);
        outside.sends_nothing_of(&stream, Duration::from_millis(300))
    });
    assert!(is_empty, "the stream has never been empty");
    let host = run().start();
    host.says("consuming from");
    publish(&outside, broker, 2);
    counts(&host, "error", [2, 0]);
    host.end_by(Signal::Terminate).exits(0).does_not_say("were removed");
    loghost(["report", "--state"]).arg(folder.path()).end().exits(0);
}

/// It is suspended while more is published than the broker sends ahead and the stream keeps.
fn a_slow_consumer_is_cut_off(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let last = "the last";
    let plugin = guest("error").severities(&["error"]).on(last, Then::Skip).write(folder.path());
    let host =
        run(broker, &plugin).args(["--retain-bytes", "200KB", "--segment-bytes", "50KB", "--prefetch", "50"]);
    let host = host.args(["--listen", "127.0.0.1:0", "--log-format", "json", "--state"]).arg(&state).start();
    host.says("consuming from");
    let (outside, stream, text) = (broker.outside(), broker.exchange("error"), "x".repeat(10_000));
    publish(&outside, broker, 3);
    counts(&host, "error", [3, 0]);
    host.signal(Signal::Stop);
    let rounds = 50;
    for _ in 0..rounds {
        let log = || (&*stream, "web", text.clone(), BasicProperties::default());
        outside.publish_all((0..30).map(|_| log()));
    }
    host.signal(Signal::Continue);
    outside.publish_all([(&*stream, "web", last.to_owned(), BasicProperties::default())]);
    let published = 3 + rounds * 30;
    let removed = |metric: &Value| metric["removed"].as_u64().unwrap_or(0);
    // Several times, if retention is faster than the consumer. As offsets may be removed that were no logs, their number does
    // not tell whether all was read.
    host.has_printed(|so_far| last_of(so_far, "error")["skipped"]["error"] == 1);
    Http::of(&host).get_until("/metrics", |answer| {
        let removed = removed(&last_of(&host.stdout_so_far(), "error"));
        answer.has_line(&format!(r#"loghost_stream_offsets_removed_total{{consumer="error"}} {removed}"#))
    });
    let output = host.end_by(Signal::Terminate).exits(0);
    let removed = removed(&last_of(&output.stdout, "error"));
    let said = output.stderr.lines().filter(|line| line.contains(r#""event":"logs_removed""#));
    let offsets = said.map(|line| {
        let event: Value = serde_json::from_str(line).expect("an object");
        let number = |key: &str| event[key].as_u64().expect("a number");
        let offsets = number("offsets");
        assert_eq!(offsets, number("to") - number("from") + 1, "{event}");
        assert_eq!((&event["stream"], &event["consumer"]), (&json!(stream), &json!("error")), "{event}");
        if broker.is_stream() {
            // What was read before, on a connection that has ended since, is not known any more.
            match event["after"].as_u64() {
                Some(after) => assert!(after <= number("before"), "{event}"),
                None => assert!(output.stderr.contains(r#""event":"reopening""#), "{output}"),
            }
        }
        // Whole segments: that the broker takes offsets of its own is no gap.
        assert!(offsets >= 5, "{event}");
        offsets
    });
    assert_eq!(offsets.sum::<u64>(), removed, "{output}");
    let again =
        run(broker, &plugin).arg("--state").arg(&state).args(["--until-idle", "500ms"]).end().exits(0);
    let again = again.does_not_say("were removed");
    let metric = last_of(&again.stdout, "error");
    assert_eq!(metric["removed"], removed, "{again}");
    let missing = published - errors(&metric)[0];
    assert!(missing > 0 && (missing..missing * 2).contains(&removed), "{missing} logs are missing: {again}");

    let report = |format| loghost(["report", "--format", format, "--state"]).arg(&state).end().exits(1);
    let [balance] = report("json").json().try_into().expect("one consumer");
    assert_eq!(balance["removed"][0]["offsets"], removed, "{balance}");
    assert_eq!(balance["complete"], false, "{balance}");
    report("text").prints("offsets at most").prints("logs were removed before they were read");
}
