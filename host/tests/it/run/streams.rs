//! `loghost run --queue-type stream`: what it counts, whatever it read before and whoever takes over.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::FieldTable;
use libtest_mimic::Trial;
use serde_json::json;

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Running, Signal, loghost};
use crate::support::dead_letters::{dead_letters, list, reject};
use crate::support::guest::guest;
use crate::support::metrics::{counts, errors, last_of};
use crate::support::outside::{Outside, text};
use crate::support::tracked;

/// Through AMQP 0-9-1 with both versions, as nothing listens where the stream protocol is looked for; and through that. The
/// arguments are given here.
pub(crate) const KINDS: [Kind; 3] = [Kind::RabbitMq, Kind::RabbitMq4, Kind::Stream];

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(KINDS, "streams::count_exactly_without_ids_when_killed", count_exactly_when_killed),
        on(KINDS, "streams::are_filtered_as_bindings_would", are_filtered_as_bindings_would),
        on(KINDS, "streams::what_is_not_wanted_keeps_no_run_up", what_is_not_wanted_keeps_no_run_up),
        on(KINDS, "streams::a_host_that_takes_over_misses_nothing", a_host_that_takes_over_misses_nothing),
        on(KINDS, "streams::follow_a_queue_whose_logs_are_counted", follow_a_queue),
        on(KINDS, "streams::a_dead_letter_is_sent_back", a_dead_letter_is_sent_back),
        on(KINDS, "streams::a_new_version_reads_others", a_new_version_reads_others),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `loghost run` that reads streams, with metrics as JSON.
pub(crate) fn run(broker: &Broker, plugin: &Path) -> Loghost {
    let run = ["run", "--queue-type", "stream", "--every", "20ms", "--format", "json"];
    broker.loghost(run).unless_ephemeral(&[]).arg(plugin)
}

/// The same with a state, when it consumes.
#[track_caller]
pub(crate) fn running(broker: &Broker, plugin: &Path, state: &Path) -> Running {
    let run = run(broker, plugin).arg("--state").arg(state).start();
    run.says("consuming from");
    run
}

/// How many errors it counts until nothing more comes.
#[track_caller]
pub(crate) fn counted(run: Loghost) -> u64 {
    let output = run.args(["--until-idle", "500ms"]).end().exits(0);
    let metric = last_of(&output.stdout, "error");
    assert_eq!(metric["repeated"], 0, "{output}");
    errors(&metric)[0]
}

pub(crate) fn plugin() -> PathBuf {
    tracked("plugins/error.wasm")
}

/// Publishes errors without ids.
#[track_caller]
pub(crate) fn publish(outside: &Outside, broker: &Broker, logs: usize) {
    let exchange = broker.exchange("error");
    let log = |n| (&*exchange, "web", format!("log {n}"), BasicProperties::default());
    outside.publish_all((0..logs).map(log));
}

fn count_exactly_when_killed(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (outside, mut all) = (broker.outside(), 0);
    for part in [700, 1, 1500] {
        let run = running(broker, &plugin(), folder.path());
        publish(&outside, broker, part);
        let random = all as u64 + fastrand::u64(1..=part as u64);
        run.has_printed(|so_far| errors(&last_of(so_far, "error"))[0] >= random);
        run.end_by(Signal::Kill);
        publish(&outside, broker, 40);
        all += part + 40;
    }
    // Of this run there is at least one, of which it is said.
    publish(&outside, broker, 1);
    all += 1;
    let rest = run(broker, &plugin()).arg("--state").arg(folder.path()).args(["--until-idle", "500ms"]);
    let rest = rest
        .end()
        .exits(0)
        .says("logs of this run came without an id, which does not matter for those of streams");
    let metric = last_of(&rest.stdout, "error");
    assert_eq!((errors(&metric)[0], &metric["repeated"]), (all as u64, &json!(0)), "{rest}");
    assert_eq!((&metric["without_id"], &metric["counted_by_offset"]), (&json!(all), &json!(true)), "{rest}");
    let report = || loghost(["report", "--state"]).arg(folder.path());
    report()
        .end()
        .exits(0)
        .prints(&format!("{all} came without an id, which does not matter for those of streams"));
    assert_eq!(report().args(["--format", "json"]).end().exits(0).json()[0]["counted_by_offset"], true);
}

fn are_filtered_as_bindings_would(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("error").severities(&["error"]).sources(&["db.*", "web"]).write(folder.path());
    let run = running(broker, &plugin, &folder.path().join("state"));
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    let named = BasicProperties::default().with_app_id("web".into());
    for key in ["db.1", "db", "db.1.2", "web", "", "api"] {
        outside.publish(&exchange, key, b"x", named.clone());
    }
    // What is published to the stream itself has no source.
    assert!(outside.try_publish(&exchange, b"x"));
    outside.publish(&exchange, "db.last", b"x", named);
    counts(&run, "error", [3, 0]);
    run.end_by(Signal::Terminate).exits(0);
    let again = self::run(broker, &plugin).arg("--state").arg(folder.path().join("state"));
    assert_eq!(counted(again), 3);
}

/// A stream has the logs of all sources: those that a consumer does not want come while it is to end.
fn what_is_not_wanted_keeps_no_run_up(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("error").severities(&["error"]).sources(&["db.*"]).write(folder.path());
    let exchange = broker.exchange("error");
    run(broker, &plugin).arg("--declare-only").end().exits(0);
    let wanted = |_| (&*exchange, "db.1", "x".to_owned(), BasicProperties::default());
    broker.outside().publish_all((0..5).map(wanted));
    let ended = AtomicBool::new(false);
    let output = thread::scope(|scope| {
        scope.spawn(|| {
            let outside = broker.outside();
            // For longer than anything is waited for.
            for _ in 0..3000 {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                publish(&outside, broker, 3);
                thread::sleep(Duration::from_millis(20));
            }
        });
        // Longer than it takes to note what was left out.
        let run = run(broker, &plugin).args(["--from", "first", "--until-idle", "2s", "--state"]);
        let output = run.arg(folder.path().join("state")).end();
        ended.store(true, Ordering::Relaxed);
        output
    });
    assert_eq!(errors(&last_of(&output.exits(0).stdout, "error")), [5, 0]);
}

fn a_host_that_takes_over_misses_nothing(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let states = ["state-1", "state-2"].map(|state| folder.path().join(state));
    let outside = broker.outside();
    let first = running(broker, &plugin(), &states[0]);
    publish(&outside, broker, 5);
    counts(&first, "error", [5, 0]);
    let second = running(broker, &plugin(), &states[1]);
    second.says("[error] standing by");
    publish(&outside, broker, 20);
    counts(&first, "error", [25, 0]);
    first.end_by(Signal::Kill);
    publish(&outside, broker, 3);
    second.says("[error] consuming");
    counts(&second, "error", [23, 0]);
    // It goes on from its own position.
    let third = running(broker, &plugin(), &states[0]);
    third.says("[error] standing by");
    second.end_by(Signal::Terminate).exits(0);
    third.says("[error] consuming");
    counts(&third, "error", [28, 0]);
    third.end_by(Signal::Terminate).exits(0);
}

fn follow_a_queue(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = broker.outside();
    let queued = broker.loghost(["run", "--every", "20ms", "--format", "json", "--state"]);
    let queued = queued.unless_ephemeral(&[]).arg(folder.path()).arg(plugin()).start();
    queued.says("consuming from");
    publish(&outside, broker, 4);
    counts(&queued, "error", [4, 0]);
    queued.end_by(Signal::Terminate).exits(0);
    publish(&outside, broker, 5);
    let run = running(broker, &plugin(), folder.path());
    run.says("5 messages are in the queue");
    counts(&run, "error", [9, 0]);
    publish(&outside, broker, 6);
    counts(&run, "error", [15, 0]);
    run.end_by(Signal::Terminate).exits(0);
    publish(&outside, broker, 1);
    assert_eq!(outside.depth(&broker.queue("error")), Some(0), "it is bound to nothing any more");
    assert_eq!(counted(self::run(broker, &plugin()).arg("--state").arg(folder.path())), 16);
}

/// Through the queue, which has nothing else; without an id, it is another log then.
fn a_dead_letter_is_sent_back(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let picky = guest("error").severities(&["error"]).on("bad", reject("it is bad")).write(folder.path());
    let host = running(broker, &picky, &state);
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    let mut headers = FieldTable::default();
    headers.insert("disk".into(), text("sda"));
    let named = BasicProperties::default().with_message_id("loghost:p/1".into()).with_headers(headers);
    outside.publish(&exchange, "db.1", b"bad", named);
    publish(&outside, broker, 3);
    counts(&host, "error", [3, 1]);
    host.end_by(Signal::Terminate).exits(0);
    let [dead_letter] = list(broker, "error", &[]).try_into().expect("one dead letter");
    for (key, expected) in [("message", "bad"), ("routing_key", "db.1"), ("exchange", &exchange)] {
        assert_eq!(dead_letter[key], expected, "{dead_letter}");
    }
    assert_eq!(dead_letter["attributes"], json!({ "disk": "sda" }), "as it was published");
    dead_letters(broker, "replay", ["error", "--all"]).end().exits(0).prints("replayed 1  left 0");
    let mended = guest("error").severities(&["error"]).processes().write(folder.path());
    let output = run(broker, &mended).arg("--state").arg(&state).args(["--max-logs", "1"]).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "error")), [4, 0], "{output}");
    assert_eq!(counted(run(broker, &mended).arg("--state").arg(&state)), 4);
}

fn a_new_version_reads_others(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("error").version("1").severities(&["error"]).write(folder.path());
    let run = running(broker, &plugin, &folder.path().join("state"));
    let (outside, info) = (broker.outside(), broker.exchange("info"));
    publish(&outside, broker, 5);
    counts(&run, "error", [5, 0]);
    guest("error").version("2").severities(&["error", "info"]).write(folder.path());
    run.signal(Signal::Hangup);
    run.says("reloaded: version 2");
    outside.wait_until_routed(&info, "web");
    publish(&outside, broker, 3);
    outside.publish(&info, "web", b"x", BasicProperties::default());
    run.has_printed(|so_far| {
        let metric = last_of(so_far, "error");
        errors(&metric)[0] == 8 && metric["counts"]["info"].as_u64() >= Some(1)
    });
    run.end_by(Signal::Terminate).exits(0);
}
