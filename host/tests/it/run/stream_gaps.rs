//! `loghost run --queue-type stream`: offsets at which there is no log, and none is missing; and a stream that goes while it is read.

use std::sync::atomic::{AtomicBool, Ordering};

use lapin::types::AMQPValue;
use libtest_mimic::Trial;
use serde_json::json;

use super::stream_retention::{PUBLISHED, read_and_cut_off};
use super::streams::{counted, plugin, publish, run, running};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::loghost;
use crate::support::frames::FrameProxy;
use crate::support::guest::guest;
use crate::support::metrics::{counts, errors, last_of};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(
            [Kind::Stream],
            "streams::what_the_broker_stores_is_not_missing",
            what_the_broker_stores_is_not_missing,
        ),
        on(
            [Kind::Stream],
            "streams::one_that_was_empty_has_lost_nothing",
            one_that_was_empty_has_lost_nothing,
        ),
        on([Kind::Stream], "streams::made_again_while_read_are_refused", made_again_while_read_are_refused),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The offsets of another consumer, which has no state, are behind the last log, and later between two of them.
fn what_the_broker_stores_is_not_missing(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let [state, journal] = ["state", "journal"].map(|name| folder.path().join(name));
    let other = guest("other").severities(&["error"]).write(folder.path());
    let stateless = || run(broker, &other).args(["--from", "first", "--until-idle", "500ms"]).end().exits(0);
    let counting = || counted(run(broker, &plugin()).args(["--from", "first"]).arg("--state").arg(&state));
    let counting_on = || counted(run(broker, &plugin()).arg("--state").arg(&state));
    run(broker, &plugin()).arg("--declare-only").end().exits(0);
    // A journal knows what of the lines was published before.
    let publish = |lines: usize| {
        let publish =
            broker.loghost(["publish", "--stdin", "--severity", "error", "--journal"]).arg(&journal);
        publish.stdin("a log\n".repeat(lines)).end().exits(0);
    };
    let is_complete = || {
        let report = |format: &str| {
            let report = loghost(["report", "--format", format, "--state"]).arg(&state);
            report.arg("--journal").arg(&journal).end().exits(0)
        };
        let output = report("json");
        let [balance] = output.json().try_into().expect("one consumer");
        assert_eq!((&balance["complete"], &balance["removed"]), (&json!(true), &json!([])), "{balance}");
        let text = report("text");
        assert!(!text.stdout.contains("removed"), "{text}");
    };
    publish(20);
    assert_eq!(counting(), 20);
    for _ in 0..3 {
        let output = stateless();
        assert_eq!(errors(&last_of(&output.stdout, "other")), [20, 0], "{output}");
    }
    assert_eq!(counting_on(), 20);
    is_complete();
    publish(30);
    let offset = last_offset(broker, 30);
    assert!(offset > 30, "the last log is at offset {offset}: nothing was stored");
    assert_eq!(counting_on(), 30);
    is_complete();
}

/// The offset of the last of so many logs.
#[track_caller]
fn last_offset(broker: &Broker, logs: usize) -> i64 {
    let read = broker.outside().read_stream(&broker.exchange("error"), logs);
    let headers = read.last().and_then(|message| message.properties.headers().as_ref());
    match headers.and_then(|headers| headers.inner().get("x-stream-offset")) {
        Some(AMQPValue::LongLongInt(offset)) => *offset,
        other => panic!("{other:?} is no offset"),
    }
}

/// The answer to a question for the figures of a stream, and a chunk, behind the length of a frame.
const STATISTICS: [u8; 2] = [0x80, 28];
const DELIVER: [u8; 2] = [0, 8];

/// The figure that tells whether there is something; -1 if there is not.
const COMMITTED: &[u8] = b"committed_chunk_id";

/// When a consumer has looked where to begin, the stream had nothing; when it reads it, retention has removed what was first.
fn one_that_was_empty_has_lost_nothing(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let [before, state] = ["before", "state"].map(|name| folder.path().join(name));
    read_and_cut_off(broker, &before);
    let is_read = AtomicBool::new(false);
    let proxy = FrameProxy::new(broker.stream_port().expect("the stream protocol"), move |frame| {
        is_read.fetch_or(frame[4..].starts_with(&DELIVER), Ordering::Relaxed);
        let at = frame.windows(COMMITTED.len()).position(|part| part == COMMITTED);
        if let Some(at) = at.filter(|_| frame[4..].starts_with(&STATISTICS))
            && !is_read.load(Ordering::Relaxed)
        {
            frame[at + COMMITTED.len()..][..8].fill(0xff);
        }
    });
    let run = run(broker, &plugin()).args(["--from", "first", "--stream-address", proxy.address()]);
    let output = run.arg("--state").arg(&state).args(["--until-idle", "500ms"]).end().exits(0);
    let output = output.does_not_say("were removed");
    let metric = last_of(&output.stdout, "error");
    let counted = errors(&metric)[0];
    assert!((1..PUBLISHED - 1).contains(&counted), "{output}");
    loghost(["report", "--state"]).arg(&state).end().exits(0);
    // It is known of who has read the first logs.
    let output = self::run(broker, &plugin()).arg("--state").arg(&before).args(["--until-idle", "500ms"]);
    output.end().exits(0).says("were removed before they were read");
}

/// Its offsets begin anew, and mean other logs.
fn made_again_while_read_are_refused(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = broker.outside();
    let host = running(broker, &plugin(), folder.path());
    publish(&outside, broker, 8);
    counts(&host, "error", [8, 0]);
    outside.delete(&broker.exchange("error"));
    // The host itself makes it again.
    host.says("[error] consuming");
    publish(&outside, broker, 1);
    let output = host.end().exits(78).says("this consumer has read it up to offset 7").says("--restart");
    assert_eq!(errors(&last_of(&output.stdout, "error")), [8, 0], "{output}");
    let again = run(broker, &plugin()).args(["--from", "first", "--restart", "--state"]).arg(folder.path());
    assert_eq!(counted(again), 1);
}
