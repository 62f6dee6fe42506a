//! `loghost tail`: the logs as they come.

use std::thread;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on, on_each, start_again, start_embedded};
use crate::support::cli::{Running, Signal, first_lines, loghost};
use crate::support::publish::is_unwanted;
use crate::support::test;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(Kind::QUEUES, "tail::shows_what_comes", shows_what_comes);
    trials.extend(on_each("tail::only_what_is_asked_for", only_what_is_asked_for));
    trials.extend(on_each("tail::all_fields_as_json", all_fields_as_json));
    trials.extend(on_each("tail::who_reads_slowly_misses_the_oldest", who_reads_slowly_misses_the_oldest));
    trials.extend(on(Kind::QUEUES, "tail::a_pipe_that_closes_ends_it", a_pipe_that_closes_ends_it));
    trials.extend(on([Kind::Embedded], "tail::colours_where_they_are_wanted", colours_where_they_are_wanted));
    trials.push(test("tail::reconnects", reconnects));
    trials
}

/// Starts it, and waits until it would see what is published.
#[track_caller]
fn tail<const N: usize>(broker: &Broker, arguments: [&str; N]) -> Running {
    let tail = broker.loghost(["tail"]).args(arguments).start();
    tail.says("looking at what comes through");
    tail
}

#[track_caller]
fn publish<const N: usize>(broker: &Broker, arguments: [&str; N]) {
    broker.loghost(["publish"]).args(arguments).end().exits(0);
}

fn shows_what_comes(broker: &Broker) {
    let tail = tail(broker, ["--max-logs", "4"]);
    publish(
        broker,
        ["error", "disk full", "--source", "db.1", "--attribute", "disk=sda", "--attribute", "used=99 %"],
    );
    publish(broker, ["debug", "plain"]);
    let (outside, exchange) = (broker.outside(), broker.exchange("critical"));
    outside.publish(&exchange, "a\u{1b}b", b"one\ntwo\x1b[2J\xff", BasicProperties::default());
    let mut headers = FieldTable::default();
    headers.insert("k\u{1b}".into(), AMQPValue::LongString("\u{1b}]0;x\u{7}\n".into()));
    outside.publish(&exchange, "", b"", BasicProperties::default().with_timestamp(1).with_headers(headers));
    let output = tail.end().exits(0);
    let shown: Vec<(&str, &str)> =
        output.stdout.lines().map(|line| line.split_once(' ').expect("a time before it")).collect();
    let texts: Vec<&str> = shown.iter().map(|(_, text)| *text).collect();
    assert_eq!(
        texts,
        [
            r#"error    db.1  disk full  disk=sda used="99 %""#,
            "debug    -  plain",
            r"critical a\u{1b}b  one",
            " two\\u{1b}[2J\u{fffd}",
            r#"critical -    k\u{1b}="\u{1b}]0;x\u{7}\u{a}""#,
        ],
        "{output}"
    );
    assert_eq!(shown[4].0, "1970-01-01T00:00:01.000Z");
    assert!(humantime::parse_rfc3339(shown[0].0).is_ok(), "{output}");
    // Its queue is gone.
    is_unwanted(broker, "error", "db.1");
}

fn only_what_is_asked_for(broker: &Broker) {
    let tail = tail(
        broker,
        [
            "--severity",
            "error",
            "--severity",
            "info",
            "--source",
            "db.*",
            "--source",
            "web",
            "--grep",
            "(?i)DISK \\d",
        ],
    );
    for (severity, source, text) in [
        ("error", "db.1", "disk 1"),
        ("critical", "db.1", "disk 2"),
        ("error", "db.1.2", "disk 3"),
        ("error", "db.1", "disk x"),
        ("info", "web", "Disk 4"),
        ("info", "web.1", "disk 5"),
        ("info", "db.2", "disk 6"),
    ] {
        publish(broker, [severity, text, "--source", source]);
    }
    tail.prints("disk 6");
    let output = tail.end_by(Signal::Interrupt).exits(0);
    let messages = output.stdout.lines().map(|line| line.rsplit_once("  ").expect("a message").1);
    assert_eq!(messages.collect::<Vec<_>>(), ["disk 1", "Disk 4", "disk 6"]);
    let exchanges = ["info", "error"].map(|severity| broker.exchange(severity)).join(", ");
    output.says(&format!("looking at what comes through {exchanges} of the sources db.*, web at "));
}

fn all_fields_as_json(broker: &Broker) {
    let tail = tail(broker, ["--format", "json", "--max-logs", "2"]);
    publish(broker, ["info", "a\nb", "--source", "web-1", "--attribute", "path=/x"]);
    let properties = BasicProperties::default().with_message_id("x".into()).with_timestamp(7);
    broker.outside().publish(&broker.exchange("error"), "", b"\x1b", properties);
    let output = tail.end().exits(0);
    let logs = output.json();
    assert_eq!(logs.len(), 2, "{output}");
    let own = &logs[0];
    assert_eq!(own["severity"], "info");
    assert_eq!(own["source"], "web-1");
    assert_eq!(own["message"], "a\nb");
    assert_eq!(own["attributes"], serde_json::json!({ "path": "/x" }));
    assert!(
        own["id"].as_str().is_some_and(|id| id.starts_with("loghost:") && id.ends_with("/1")),
        "{output}"
    );
    assert!(own["timestamp"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{output}");
    let foreign = serde_json::json!({
        "timestamp": 7000, "severity": "error", "source": "", "message": "\u{1b}", "attributes": {}, "id": "x", "hops": 0,
    });
    assert_eq!(logs[1], foreign);
    assert!(!output.stdout.contains('\u{1b}'), "{output}");
}

/// More than the broker keeps for it comes while it does not run.
fn who_reads_slowly_misses_the_oldest(broker: &Broker) {
    const LOGS: usize = 11_000;
    let tail = tail(broker, ["--severity", "error"]);
    publish(broker, ["error", "first"]);
    tail.prints("first");
    tail.signal(Signal::Stop);
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = folder.path().join("many.txt");
    std::fs::write(&scenario, format!("error x{}: many\nerror: the last\n", LOGS - 1))
        .expect("a file of ours");
    broker.loghost(["publish", "--file"]).arg(&scenario).end().exits(0);
    tail.signal(Signal::Continue);
    tail.prints("the last");
    let output = tail.end_by(Signal::Interrupt).exits(0);
    let seen = output.stdout.lines().count() - 1;
    let unseen: usize = output
        .stderr
        .lines()
        .filter_map(|line| {
            line.split_once("by the numbers in the ids: ")?.1.split(' ').next()?.parse::<usize>().ok()
        })
        .sum();
    assert!((10_000..LOGS).contains(&seen), "{seen} seen, {unseen} not");
    assert_eq!(seen + unseen, LOGS);
}

fn a_pipe_that_closes_ends_it(broker: &Broker) {
    thread::scope(|scope| {
        scope.spawn(|| {
            // The message that gets there is the first line.
            broker.outside().wait_until_routed(&broker.exchange("error"), "key");
            // Nobody but the next one who writes hears that the pipe is closed.
            broker.outside().wait_until(|| {
                broker.loghost(["publish", "error", "more", "--require-route"]).end().code() == Some(1)
            });
        });
        let line = first_lines(broker.loghost(["tail", "--severity", "error"]), 1);
        assert!(line.contains("error    key"), "{line}");
    });
}

fn colours_where_they_are_wanted(broker: &Broker) {
    let tail = |wanted: bool| {
        let tail = broker.loghost(["tail", "--max-logs", "1"]).env_remove("NO_COLOR");
        let tail = if wanted { tail.env("CLICOLOR_FORCE", "1") } else { tail };
        let tail = tail.start();
        tail.says("looking at");
        publish(broker, ["error", "text"]);
        tail.end().exits(0).stdout
    };
    assert!(tail(true).contains("\u{1b}[31merror"));
    assert!(!tail(false).contains('\u{1b}'));
}

/// To a broker that has forgotten everything.
fn reconnects() {
    let (first, url) = start_embedded();
    let tail = loghost(["tail", "--broker", &url]).start();
    tail.says("the exchange `logs.error` was not there: declared");
    tail.says("looking at");
    let publish = |text: &str| drop(loghost(["publish", "error", text, "--broker", &url]).end().exits(0));
    publish("before");
    tail.prints("before");
    first.end_by(Signal::Terminate).exits(0);
    tail.says("what is published meanwhile, is not seen");
    let second = start_again(&url);
    Broker::at(&url).outside().wait_until_routed("logs.error", "key");
    publish("after");
    tail.prints("after");
    tail.end_by(Signal::Terminate).exits(0);
    second.end_by(Signal::Terminate).exits(0);
}
