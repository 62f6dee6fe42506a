//! `loghost record` and `loghost tail` of the past of the streams.

use std::fs;

use lapin::BasicProperties;
use libtest_mimic::Trial;

use super::{KINDS, declare};
use crate::support::broker::{Broker, on};
use crate::support::cli::loghost;
use crate::support::guest::guest;

pub(super) fn trials() -> impl Iterator<Item = Trial> {
    on(KINDS, "replay::the_past_is_recorded_and_shown", the_past_is_recorded_and_shown).into_iter()
}

fn the_past_is_recorded_and_shown(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let streams = guest("all").severities(&["info", "error"]).write(folder.path());
    declare(broker, &streams);
    let outside = broker.outside();
    let (error, info) = (broker.exchange("error"), broker.exchange("info"));
    for (exchange, source, message) in
        [(&error, "db.1", "one"), (&info, "db.1", "two"), (&error, "web", "three"), (&error, "db.2", "four")]
    {
        // A chunk for each: where there is no other time, it is that of the chunk.
        let at = BasicProperties::default().with_timestamp(if message == "two" { 5 } else { 6 });
        outside.publish(exchange, source, message.as_bytes(), at);
    }
    let span = ["--severity", "error", "--severity", "info", "--from", "first", "--source", "db.*"];
    let record = |arguments: &[&str]| broker.loghost(["record"]).args(span).args(arguments).end().exits(0);
    let recorded = record(&["--until", "next", "--expect", "error"]).says("recorded 3  left out 0");
    let lines: Vec<&str> = recorded.stdout.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        ["", "info @db.1: two", "error @db.1: one", "error @db.2: four", "", "expect error"],
        "{recorded}"
    );
    let file = folder.path().join("past.txt");
    fs::write(&file, &recorded.stdout).expect("a file of ours");
    loghost(["verify", "--bless"]).arg(&file).end().exits(0);
    loghost(["verify"]).arg(&file).end().exits(0);
    let blessed = fs::read_to_string(&file).expect("it is there");
    assert!(blessed.lines().any(|line| line.starts_with('|') && line.ends_with('2')), "{blessed}");
    record(&["--max-logs", "2"]).says("recorded 2  left out 0");

    // Without an end, it goes on with what comes.
    let tail = broker.loghost(["tail", "--format", "json"]).args(span).args(["--max-logs", "5"]).start();
    tail.prints("four");
    outside.publish(&info, "db.3", b"five", BasicProperties::default());
    outside.publish(&error, "web", b"no", BasicProperties::default());
    outside.publish(&error, "db.3", b"six", BasicProperties::default());
    let output = tail.end().exits(0);
    let mut messages: Vec<String> =
        output.json().iter().map(|log| log["message"].as_str().expect("a text").to_owned()).collect();
    messages[3..].sort();
    assert_eq!(messages, ["two", "one", "four", "five", "six"], "{output}");
}
