//! `loghost replay`: what comes of the past of the streams, and what is left as it was.

mod compare;
mod elected;
mod internal;
mod recorded;
mod removed;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::run::streams::plugin;
use crate::support::broker::{Broker, Kind, on, unique};
use crate::support::cli::{Loghost, Output, Signal, binary};
use crate::support::dead_letters::reject;
use crate::support::guest::{Does, Then, guest, seen};
use crate::support::metrics::{counts, errors, last_of};
use crate::support::outside::Outside;
use crate::support::rabbitmq::rabbitmqctl;
use crate::support::{Need, Skip, needing, tracked};

/// Through AMQP 0-9-1, and through the stream protocol.
const KINDS: [Kind; 2] = [Kind::RabbitMq, Kind::Stream];

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(KINDS, "replay::the_same_span_gives_the_same_metric", the_same_span_gives_the_same_metric),
        on(
            KINDS,
            "replay::nothing_changes_for_a_consumer_that_runs",
            nothing_changes_for_a_consumer_that_runs,
        ),
        on([Kind::Stream], "replay::what_the_broker_keeps_stays", what_the_broker_keeps_stays),
        on(KINDS, "replay::logs_come_in_the_order_of_their_times", logs_come_in_the_order_of_their_times),
        on(KINDS, "replay::what_is_not_counted_is_listed", what_is_not_counted_is_listed),
        on([Kind::Stream], "replay::only_what_is_asked_for", only_what_is_asked_for),
        on([Kind::Stream], "replay::publishes_what_is_granted", publishes_what_is_granted),
        on(KINDS, "replay::needs_no_more_than_to_read", needs_no_more_than_to_read),
        on(KINDS, "replay::where_there_is_nothing", where_there_is_nothing),
        on([Kind::Embedded], "replay::needs_streams", needs_streams),
    ]
    .into_iter()
    .flatten()
    .chain(compare::trials())
    .chain(elected::trials())
    .chain(internal::trials())
    .chain(recorded::trials())
    .chain(removed::trials())
    .chain([needing("stream::replay::progress_is_shown_on_a_terminal", progress_is_shown_on_a_terminal)])
    .collect()
}

/// `loghost replay` of plugins, with what comes of it as JSON.
fn replay<'a>(broker: &Broker, plugins: impl IntoIterator<Item = &'a PathBuf>) -> Loghost {
    broker.loghost(["replay", "--format", "json"]).args(plugins)
}

/// Has the streams declared that a plugin reads.
#[track_caller]
fn declare(broker: &Broker, plugin: &Path) {
    let declare = ["run", "--declare-only", "--queue-type", "stream", "--grant", "publish"];
    broker.loghost(declare).unless_ephemeral(&[]).arg(plugin).end().exits(0);
}

/// Publishes errors without ids, one by one.
#[track_caller]
fn publish(outside: &Outside, broker: &Broker, logs: &[&str]) {
    let exchange = broker.exchange("error");
    let log = |text: &&str| (&*exchange, "web", (*text).to_owned(), BasicProperties::default());
    outside.publish_all(logs.iter().map(log));
}

/// The last line of standard output: the metric.
#[track_caller]
fn metric(output: &Output) -> Value {
    output.json().pop().unwrap_or_else(|| panic!("no metric: {output}"))
}

/// The offsets of what is listed, with what is said of each.
#[track_caller]
fn listed(output: &Output, key: &str) -> Vec<(u64, Value)> {
    let lines = output.json();
    let found = lines.iter().filter_map(|line| line.get(key).map(|said| (&line["at"]["offset"], said)));
    found.map(|(offset, said)| (offset.as_u64().expect("an offset"), said.clone())).collect()
}

fn the_same_span_gives_the_same_metric(broker: &Broker) {
    declare(broker, &plugin());
    let outside = broker.outside();
    let (stop, text) = (AtomicBool::new(false), ["one"; 50]);
    publish(&outside, broker, &text);
    thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            let outside = broker.outside();
            while !stop.load(Ordering::Relaxed) {
                publish(&outside, broker, &text);
            }
        });
        let open = replay(broker, [&plugin()]).args(["--from", "first"]).end().exits(0);
        let [counted, 0] = errors(&metric(&open)) else { panic!("{open}") };
        assert!(counted >= 50, "{open}");
        // What it says it reads is what it counts.
        let open = open.says(&format!("from offset 0 to {}", counted - 1));
        let until = counted.to_string();
        for _ in 0..2 {
            let again = replay(broker, [&plugin()]).args(["--from", "first", "--until", &until]);
            assert_eq!(metric(&again.end().exits(0)), metric(&open));
        }
        let middle = replay(broker, [&plugin()]).args(["--from", "7", "--until", "30"]).end().exits(0);
        assert_eq!(errors(&metric(&middle)), [23, 0]);
        stop.store(true, Ordering::Relaxed);
        publishing.join().expect("the publisher ends");
    });
    let all = replay(broker, [&plugin()]).args(["--from", "1h"]).end().exits(0);
    assert_eq!(errors(&metric(&all))[0] % 50, 0, "{all}");
}

fn nothing_changes_for_a_consumer_that_runs(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = || {
        let run = broker.loghost(["run", "--queue-type", "stream", "--every", "20ms", "--format", "json"]);
        run.unless_ephemeral(&[]).arg(plugin()).arg("--state").arg(folder.path().join("state"))
    };
    let host = run().start();
    host.says("consuming from");
    let outside = broker.outside();
    publish(&outside, broker, &["a", "b", "c"]);
    counts(&host, "error", [3, 0]);
    let queue = |name: &str| outside.depth(name);
    let queues = [broker.queue("error"), broker.dead_queue("error")];
    let before = queues.each_ref().map(|name| queue(name));
    let output = replay(broker, [&plugin()]).args(["--from", "first"]).end().exits(0);
    assert_eq!(errors(&metric(&output)), [3, 0], "{output}");
    assert_eq!(queues.each_ref().map(|name| queue(name)), before);
    publish(&outside, broker, &["d"]);
    counts(&host, "error", [4, 0]);
    let host = host.end_by(Signal::Terminate).exits(0);
    assert_eq!(host.stderr.matches("consuming").count(), 1, "it was always the active one: {host}");
    let output = run().args(["--until-idle", "500ms"]).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "error")), [4, 0], "{output}");
}

fn what_the_broker_keeps_stays(broker: &Broker) {
    let run = |arguments: &[&str]| {
        let run = broker.loghost(["run", "--every", "20ms", "--format", "json", "--until-idle", "500ms"]);
        let run = run.unless_ephemeral(&[]).args(["--queue-type", "stream"]).arg(plugin()).args(arguments);
        let output = run.end().exits(0);
        errors(&last_of(&output.stdout, "error"))[0]
    };
    declare(broker, &plugin());
    let outside = broker.outside();
    publish(&outside, broker, &["a", "b", "c"]);
    assert_eq!(run(&["--from", "first"]), 3);
    let output = replay(broker, [&plugin()]).args(["--from", "first"]).end().exits(0);
    assert_eq!(errors(&metric(&output)), [3, 0], "{output}");
    publish(&outside, broker, &["d"]);
    assert_eq!(run(&[]), 1, "it goes on where it has ended");
}

fn logs_come_in_the_order_of_their_times(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("ordered").severities(&["info", "error"]).transcribes().write(folder.path());
    declare(broker, &file);
    let outside = broker.outside();
    let at = |seconds| BasicProperties::default().with_timestamp(seconds);
    for (severity, times) in [("error", [1, 4, 6]), ("info", [2, 3, 5])] {
        let exchange = broker.exchange(severity);
        outside.publish_all(times.map(|time| (&*exchange, "web", time.to_string(), at(time))));
    }
    let output = broker.loghost(["replay", "--from", "first"]).arg(&file).end().exits(0);
    let seen = seen(&output.stderr, "ordered");
    let messages: Vec<_> = seen.iter().map(|seen| &*seen.message).collect();
    assert_eq!(messages, ["1", "2", "3", "4", "5", "6"], "{output}");
    assert!(seen.iter().all(|seen| seen.batch == 6), "one batch: {output}");
}

fn what_is_not_counted_is_listed(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("error")
        .severities(&["error"])
        .on("bad", reject("it is bad"))
        .on("worse", Then::Do(Does::Panic))
        .on_attempts_below(3, "again", Then::Retry("not yet".to_owned()))
        .on("never", Then::Retry("never".to_owned()))
        .on("skip", Then::Skip)
        .write(folder.path());
    declare(broker, &picky);
    let outside = broker.outside();
    publish(&outside, broker, &["good", "bad", "again", "worse", "skip", "never", "good"]);
    let replay = || replay(broker, [&picky]).args(["--from", "first", "--max-retries", "3"]);
    let output = replay().end().exits(0);
    let found = listed(&output, "not_counted");
    let outcome = |(offset, said): &(u64, Value)| {
        (*offset, said["outcome"].as_str().expect("a word").to_owned(), said["attempts"].clone())
    };
    assert_eq!(
        found.iter().map(outcome).collect::<Vec<_>>(),
        [
            (1, "reject".to_owned(), json!(1)),
            (3, "trap".to_owned(), json!(1)),
            (5, "retry".to_owned(), json!(4))
        ],
        "{output}"
    );
    assert_eq!(found[0].1["reason"], "it is bad");
    assert_eq!(output.json()[0]["log"]["message"], "bad");
    let metric = metric(&output);
    assert_eq!((errors(&metric), &metric["skipped"]["error"]), ([3, 3], &json!(1)), "{output}");
    assert_eq!(outside.depth(&broker.dead_queue("error")), Some(0), "none is a dead letter");
    publish(&outside, broker, &["bad"; 25]);
    let output = broker.loghost(["replay", "--from", "first"]).arg(&picky).end().exits(0);
    let output =
        output.prints("reject: it is bad").prints("and 8 logs more not counted; --format json lists all");
    assert_eq!(output.stdout.matches("reject: it is bad").count(), 18, "{output}");
    assert_eq!(listed(&replay().end().exits(0), "not_counted").len(), 28);
    // One that fails at all of them is stopped.
    let failing = guest("error").severities(&["error"]).on("", Then::Do(Does::Panic)).write(folder.path());
    let output = broker.loghost(["replay", "--from", "first", "--stop-at", "4/4"]).arg(&failing).end();
    output.exits(75).says("was stopped, because it kept failing");
}

fn only_what_is_asked_for(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let narrow = guest("narrow").severities(&["error", "info"]).sources(&["db.*"]).write(folder.path());
    let wide = guest("wide").severities(&["error"]).write(folder.path());
    declare(broker, &narrow);
    let outside = broker.outside();
    for (severity, source) in
        [("error", "db.1"), ("error", "db.2"), ("error", "web"), ("error", ""), ("info", "db.1")]
    {
        outside.publish(&broker.exchange(severity), source, b"x", BasicProperties::default());
    }
    let counted = |arguments: &[&str]| {
        let output =
            replay(broker, [&narrow, &wide]).args(["--from", "first"]).args(arguments).end().exits(0);
        let metrics = output.json();
        let total =
            |metric: &Value| ["error", "info"].map(|severity| metric["counts"][severity].as_u64().unwrap());
        assert_eq!(metrics.len(), 2, "{output}");
        [total(&metrics[0]), total(&metrics[1])]
    };
    assert_eq!(counted(&[]), [[2, 1], [4, 0]]);
    assert_eq!(counted(&["--severity", "error"]), [[2, 0], [4, 0]]);
    assert_eq!(counted(&["--source", "*.1"]), [[1, 1], [1, 0]]);
    assert_eq!(counted(&["--source", "db.2", "--source", "web"]), [[1, 0], [2, 0]]);
}

fn publishes_what_is_granted(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("deriving").severities(&["error"]).publishes("info").write(folder.path());
    declare(broker, &file);
    declare(broker, &tracked("plugins/debug-info.wasm"));
    let outside = broker.outside();
    publish(&outside, broker, &["a", "b"]);
    let replay = || replay(broker, [&file]).args(["--from", "first"]);
    let derived = || {
        let output = self::replay(broker, [&tracked("plugins/debug-info.wasm")]).args(["--from", "first"]);
        metric(&output.end().exits(0))["counts"]["info"].clone()
    };
    assert_eq!(errors(&metric(&replay().end().exits(0))), [2, 0]);
    assert_eq!(derived(), 0);
    assert_eq!(errors(&metric(&replay().args(["--grant", "publish"]).end().exits(0))), [2, 0]);
    assert_eq!(derived(), 2);
}

/// Standard error is a terminal here, and standard output is not.
fn progress_is_shown_on_a_terminal() -> Result<(), Skip> {
    if !Command::new("python3").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return Err(Skip::new(Need::Python, "there is no python3"));
    }
    let broker = Broker::new(Kind::Stream)?;
    declare(&broker, &plugin());
    for _ in 0..20 {
        publish(&broker.outside(), &broker, &["x"; 100]);
    }
    let script = "import os, pty, sys
to_null = 'stty cols 100; exec \"$0\" \"$@\" > /dev/null'
sys.exit(os.waitstatus_to_exitcode(pty.spawn(['sh', '-c', to_null] + sys.argv[1:])))";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(binary()).args(["replay", "--from", "first", "--max-batch", "1"]);
    command.args(["--broker", broker.url(), "--prefix", broker.prefix()]).arg(plugin()).env("TERM", "xterm");
    let port = broker.stream_port().expect("the stream protocol");
    let output = command.env("LOGHOST_STREAM_ADDRESS", format!("127.0.0.1:{port}")).output();
    let output = output.expect("it started before");
    let drawn = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(drawn.contains(" of 2,000 logs") && drawn.contains("/s") && drawn.contains(" left"), "{drawn}");
    Ok(())
}

fn needs_no_more_than_to_read(broker: &Broker) {
    declare(broker, &plugin());
    publish(&broker.outside(), broker, &["a", "b"]);
    let (user, version) = (unique("reader"), broker.version().expect("a RabbitMQ"));
    let read = format!("^{}\\.error$", broker.prefix());
    rabbitmqctl(version, &["add_user", &user, "pw"]);
    rabbitmqctl(version, &["set_permissions", &user, "^$", "^$", &read]);
    let output = replay(&broker.as_user(&user, "pw"), [&plugin()]).args(["--from", "first"]).end().exits(0);
    assert_eq!(errors(&metric(&output)), [2, 0], "{output}");
    rabbitmqctl(version, &["set_permissions", &user, "^$", "^$", "^$"]);
    let output = replay(&broker.as_user(&user, "pw"), [&plugin()]).args(["--from", "first"]).end();
    output.exits(78).says("refused");
    rabbitmqctl(version, &["delete_user", &user]);
}

fn where_there_is_nothing(broker: &Broker) {
    let replay = |arguments: &[&str]| replay(broker, [&plugin()]).args(arguments).end();
    let missing = replay(&["--from", "first"]).exits(78);
    missing.says(&format!("there is no stream `{}`", broker.exchange("error"))).says("--queue-type stream");
    declare(broker, &plugin());
    let empty = replay(&["--from", "first"]).exits(0).says("(nothing)");
    assert_eq!(errors(&metric(&empty)), [0, 0], "{empty}");
    replay(&["--from", "4711"]).exits(2).says("--from 4711 is behind the end").says("is empty");
    publish(&broker.outside(), broker, &["a", "b"]);
    replay(&["--from", "4711"]).exits(2).says("ends at offset 1");
    assert_eq!(errors(&metric(&replay(&["--from", "2"]).exits(0))), [0, 0]);
    replay(&["--from", "2", "--until", "1"]).exits(2).says("--until is before --from");
    replay(&["--from", "1h", "--until", "2h"]).exits(2).says("--until is before --from");
    replay(&["--from", "next"]).exits(2).says("behind what is there, there is nothing");
    replay(&[]).exits(2).says("--from");
    replay(&["--from", "first", "--source", ""]).exits(2).says("a source pattern must not be empty");
    replay(&["--from", "first", "--severity", "info"]).exits(2).says("no plugin wants info logs, but error");
}

fn needs_streams(broker: &Broker) {
    let output = replay(broker, [&plugin()]).args(["--from", "first"]).end().exits(78);
    output.says("RabbitMQ has streams from 3.9 on, the embedded broker has none");
    broker.loghost(["tail", "--until", "first"]).end().exits(2).says("--from");
}
