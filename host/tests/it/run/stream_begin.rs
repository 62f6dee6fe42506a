//! Where `loghost run --queue-type stream` begins, whatever ends it, and streams that were made again.

use std::thread;
use std::time::{Duration, SystemTime};

use lapin::BasicProperties;
use libtest_mimic::Trial;

use super::streams::{KINDS, counted, plugin, publish, run, running};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::metrics::{counts, errors, last_of};
use crate::support::outside::Outside;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(KINDS, "streams::note_where_they_begin_before_there_is_a_log", note_where_they_begin),
        on(KINDS, "streams::begin_where_asked", begin_where_asked),
        on(KINDS, "streams::where_a_host_begins_outlasts_it", where_a_host_begins_outlasts_it),
        on(KINDS, "streams::where_a_host_stands_by_outlasts_it", where_a_host_stands_by_outlasts_it),
        on(KINDS, "streams::made_again_are_refused", made_again_are_refused),
        on(KINDS, "streams::made_again_and_grown_are_refused", made_again_and_grown_are_refused),
        on(KINDS, "streams::that_were_cut_off_are_not_refused", that_were_cut_off_are_not_refused),
        on(
            [Kind::Stream],
            "streams::the_broker_keeps_where_a_host_begins",
            the_broker_keeps_where_a_host_begins,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn note_where_they_begin(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (outside, state) = (broker.outside(), folder.path());
    let run = || run(broker, &plugin()).arg("--state").arg(state);
    assert_eq!(counted(run()), 0);
    publish(&outside, broker, 7);
    assert_eq!(counted(run()), 7, "what came while it was away");
    publish(&outside, broker, 1);
    assert_eq!(counted(run()), 8);
}

fn begin_where_asked(broker: &Broker) {
    let outside = broker.outside();
    let run = || run(broker, &plugin());
    // What is stored of how far was read takes offsets as well.
    run().arg("--declare-only").end().exits(0);
    publish(&outside, broker, 10);
    let from = |begin: &str| counted(run().args(["--from", begin]));
    for (begin, expected) in [("first", 10), ("4", 6), ("9", 1), ("10", 0), ("1h", 10), ("next", 0)] {
        assert_eq!(from(begin), expected, "--from {begin}");
    }
    assert!((1..=10).contains(&from("last")), "the last chunk");
    let published = SystemTime::now();
    // AMQP 0-9-1 has times in whole seconds.
    thread::sleep(Duration::from_secs(2));
    publish(&outside, broker, 2);
    let between = published + Duration::from_secs(1);
    assert_eq!(from(&humantime::format_rfc3339_millis(between).to_string()), 2, "what is older is left out");
    let next = run().start();
    next.says("consuming from");
    publish(&outside, broker, 3);
    counts(&next, "error", [3, 0]);
    next.end_by(Signal::Terminate).exits(0);
}

/// Killed when it has just said that it consumes, before there is a log.
fn where_a_host_begins_outlasts_it(broker: &Broker) {
    let outside = broker.outside();
    run(broker, &plugin()).arg("--declare-only").end().exits(0);
    for before in [0, 3] {
        publish(&outside, broker, before);
        let folder = tempfile::tempdir().expect("a folder");
        running(broker, &plugin(), folder.path()).end_by(Signal::Kill);
        publish(&outside, broker, 7);
        assert_eq!(counted(run(broker, &plugin()).arg("--state").arg(folder.path())), 7);
    }
}

/// What comes while the one that stood by is away is what it would have read.
fn where_a_host_stands_by_outlasts_it(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let states = ["state-1", "state-2"].map(|state| folder.path().join(state));
    let outside = broker.outside();
    let first = running(broker, &plugin(), &states[0]);
    let second = running(broker, &plugin(), &states[1]);
    second.says("[error] standing by");
    second.end_by(Signal::Kill);
    publish(&outside, broker, 5);
    counts(&first, "error", [5, 0]);
    let second = running(broker, &plugin(), &states[1]);
    second.says("[error] standing by");
    first.end_by(Signal::Terminate).exits(0);
    second.says("[error] consuming");
    counts(&second, "error", [5, 0]);
    second.end_by(Signal::Terminate).exits(0);
}

/// Without a state, where there was no log before, and where there was one.
fn the_broker_keeps_where_a_host_begins(broker: &Broker) {
    let outside = broker.outside();
    for logs in [7, 4] {
        let host = run(broker, &plugin()).start();
        host.says("consuming from");
        host.end_by(Signal::Kill);
        outside.wait_until_unconsumed(&broker.queue("error"));
        publish(&outside, broker, logs);
        assert_eq!(counted(run(broker, &plugin())), logs as u64);
    }
}

/// Publishes errors of which each has an id.
#[track_caller]
fn publish_named(outside: &Outside, broker: &Broker, producer: &str, logs: usize) {
    let exchange = broker.exchange("error");
    let log = |n| {
        let properties = BasicProperties::default().with_message_id(format!("{producer}-{n}").into());
        (&*exchange, "web", format!("log {n}"), properties)
    };
    outside.publish_all((0..logs).map(log));
}

fn made_again_are_refused(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = broker.outside();
    let run = || run(broker, &plugin()).arg("--state").arg(folder.path());
    let host = run().start();
    host.says("consuming from");
    publish(&outside, broker, 8);
    counts(&host, "error", [8, 0]);
    host.end_by(Signal::Terminate).exits(0);
    outside.delete(&broker.exchange("error"));
    // It might be empty because of its retention; its first log tells.
    assert_eq!(counted(run()), 8);
    let host = run().start();
    host.says("consuming from");
    publish(&outside, broker, 1);
    let refused =
        "ends at offset 0, and this consumer has read it up to offset 7: it was deleted and made again";
    host.end().exits(78).says(refused);
    run().end().exits(78).says(refused).says("--restart");
    publish(&outside, broker, 2);
    assert_eq!(counted(run().args(["--from", "first", "--restart"])), 3);
}

/// Its offsets mean other logs: those that were finished before would be left out.
fn made_again_and_grown_are_refused(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = broker.outside();
    let run = || run(broker, &plugin()).arg("--state").arg(folder.path());
    let host = run().start();
    host.says("consuming from");
    publish_named(&outside, broker, "old", 8);
    counts(&host, "error", [8, 0]);
    host.end_by(Signal::Terminate).exits(0);
    // The same one is known again.
    publish_named(&outside, broker, "more", 2);
    assert_eq!(counted(run()), 10);
    outside.delete(&broker.exchange("error"));
    run().arg("--declare-only").end().exits(0);
    publish_named(&outside, broker, "new", 30);
    run().end().exits(78).says("is not the one that this consumer has read up to offset 9").says("--restart");
    assert_eq!(counted(run().args(["--from", "first", "--restart"])), 30);
    assert_eq!(counted(run()), 30);
}

/// What a stream is recognised by may be what its retention has removed.
fn that_were_cut_off_are_not_refused(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (outside, stream) = (broker.outside(), broker.exchange("error"));
    let declare = ["--declare-only", "--retain-bytes", "200KB", "--segment-bytes", "50KB"];
    run(broker, &plugin()).args(declare).end().exits(0);
    let run = || run(broker, &plugin()).arg("--state").arg(folder.path());
    let host = run().start();
    host.says("consuming from");
    publish_named(&outside, broker, "old", 3);
    counts(&host, "error", [3, 0]);
    host.end_by(Signal::Terminate).exits(0);
    let text = "x".repeat(10_000);
    for _ in 0..5 {
        let log = || (&*stream, "web", text.clone(), BasicProperties::default());
        outside.publish_all((0..40).map(|_| log()));
    }
    publish_named(&outside, broker, "new", 1);
    let output =
        run().args(["--until-idle", "500ms"]).end().exits(0).says("were removed before they were read");
    let [accepted, _] = errors(&last_of(&output.stdout, "error"));
    assert!((4..204).contains(&accepted), "{output}");
}
