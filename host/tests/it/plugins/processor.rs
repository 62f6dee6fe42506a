//! Processors: the batches that they are given, and what the host does with their results.

mod failures;
mod outcomes;
mod publishing;

use std::slice;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use libtest_mimic::Trial;
use serde_json::json;

use crate::support::broker::{Broker, Kind, on, on_all, on_each, on_nodes};
use crate::support::cli::{Output, Signal};
use crate::support::guest::{Guest, Seen, Then, declare, guest, lines, seen};
use crate::support::rabbitmq::Setup;

pub(crate) fn trials() -> Vec<Trial> {
    let narrow = Setup { config: "max_message_size = 65536", ..Setup::default() };
    [
        on_nodes(
            "processor::what_is_too_large_to_publish_costs_a_log",
            narrow,
            publishing::what_is_too_large_to_publish_costs_a_log,
        ),
        on(Kind::QUEUES, "processor::logs_come_in_order", logs_come_in_order),
        on_each("processor::fields_come_if_asked_for", fields_come_if_asked_for),
        on_all("processor::what_is_skipped_is_not_accepted", outcomes::what_is_skipped_is_not_accepted),
        on_all("processor::what_is_rejected_is_a_dead_letter", outcomes::what_is_rejected_is_a_dead_letter),
        on_all("processor::what_is_retried_comes_again", outcomes::what_is_retried_comes_again),
        on_all("processor::retries_have_an_end", outcomes::retries_have_an_end),
        on_each("processor::publishes_what_it_may", publishing::publishes_what_it_may),
        on_each("processor::a_circle_has_an_end", publishing::a_circle_has_an_end),
        on_each("processor::a_tick_is_an_empty_batch", a_tick_is_an_empty_batch),
        on_all("processor::a_trap_costs_one_log", failures::a_trap_costs_one_log),
        on_each("processor::a_batch_that_traps_is_split", failures::a_batch_that_traps_is_split),
        on_each("processor::verdicts_are_checked", failures::verdicts_are_checked),
        on_each("processor::an_instance_lives_through_many_batches", an_instance_lives_through_many_batches),
        on_each(
            "processor::what_it_keeps_lasts_from_batch_to_batch",
            what_it_keeps_lasts_from_batch_to_batch,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Publishes these logs of severity error, and runs a plugin until it has counted all of them.
#[track_caller]
fn run(broker: &Broker, guest: &Guest, logs: &[&[u8]], arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest.write(folder.path());
    declare(broker, slice::from_ref(&file));
    publish(broker, logs);
    let enough = logs.len().to_string();
    broker.loghost(["run", "--format", "json", "--max-logs", &enough]).arg(file).args(arguments).end()
}

#[track_caller]
fn publish(broker: &Broker, logs: &[&[u8]]) {
    let outside = broker.outside();
    for log in logs {
        outside.publish(&broker.exchange("error"), "", log, BasicProperties::default());
    }
}

/// The last metric of a run of one plugin: the numbers of severity error that were accepted, skipped and
/// rejected.
#[track_caller]
fn last(output: &Output) -> [u64; 3] {
    let metric = output.json().pop().unwrap_or_else(|| panic!("no metric: {output}"));
    assert_eq!(metric["last"], true, "{output}");
    ["counts", "skipped", "rejected"].map(|counts| {
        let errors = &metric[counts]["error"];
        errors.as_u64().unwrap_or_else(|| panic!("no `{counts}`: {output}"))
    })
}

fn messages(seen: &[Seen]) -> Vec<(&str, u32)> {
    seen.iter().map(|seen| (seen.message.as_str(), seen.attempt)).collect()
}

fn headers(pairs: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in pairs {
        table.insert((*key).into(), AMQPValue::LongString((*value).into()));
    }
    table
}

fn logs_come_in_order(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("ordered").transcribes().write(folder.path());
    declare(broker, slice::from_ref(&file));
    let severities = ["debug", "info", "error", "critical", "info"];
    let expected: Vec<(String, String)> = (1..=30)
        .map(|n| (severities[n % 5].to_owned(), format!("log {n}, \u{431}\u{430}\u{437}\u{430} \u{2620}")))
        .collect();
    let outside = broker.outside();
    for (severity, message) in &expected {
        outside.publish(&broker.exchange(severity), "", message.as_bytes(), BasicProperties::default());
    }
    let run = broker.loghost(["run", "--max-logs", "30", "--max-batch", "7"]).arg(file);
    let output = run.end().exits(0);
    let seen = seen(&output.stderr, "ordered");
    let given: Vec<_> = seen.iter().map(|seen| (seen.severity.clone(), seen.message.clone())).collect();
    assert_eq!(given, expected, "{output}");
    assert!(seen.iter().all(|seen| seen.attempt == 1), "{output}");
    // Whole batches, one after the other, each at most as long as it may be.
    let mut rest = &seen[..];
    while let Some(first) = rest.first() {
        assert!((1..=7).contains(&first.batch), "{output}");
        let (batch, others) = rest.split_at(first.batch);
        assert!(
            batch.iter().enumerate().all(|(n, seen)| (seen.index, seen.batch) == (n, first.batch)),
            "{output}"
        );
        rest = others;
    }
}

fn fields_come_if_asked_for(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let asking: [(&str, &[&'static str]); 5] = [
        ("nothing", &[]),
        ("id", &["id"]),
        ("source", &["source"]),
        ("attributes", &["attributes"]),
        ("all", &["id", "source", "attributes"]),
    ];
    let files = asking.map(|(name, fields)| guest(name).fields(fields).transcribes().write(folder.path()));
    declare(broker, &files);
    let outside = broker.outside();
    let known = BasicProperties::default()
        .with_message_id("m-1".into())
        .with_app_id("db.1".into())
        .with_timestamp(1_700_000_000)
        .with_headers(headers(&[("zone", "a"), ("disk", "sda")]));
    outside.publish(&broker.exchange("error"), "db.1", b"known", known);
    outside.publish(&broker.exchange("error"), "", b"unknown", BasicProperties::default());
    let output = broker.loghost(["run", "--max-logs", "2"]).args(files).end().exits(0);
    for (name, fields) in asking {
        let seen = seen(&output.stderr, name);
        assert_eq!(messages(&seen), [("known", 1), ("unknown", 1)], "{output}");
        let given = |field: &str| fields.contains(&field);
        let attributes = [("disk", "sda"), ("zone", "a")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(seen[0].timestamp, 1_700_000_000_000);
        assert_eq!(seen[0].id, given("id").then(|| "m-1".to_owned()), "{name}");
        assert_eq!(seen[0].source, given("source").then(|| "db.1".to_owned()), "{name}");
        assert_eq!(seen[0].attributes, given("attributes").then(|| attributes.to_vec()), "{name}");
        // Fields that the producer has not set are absent, even if they are asked for; attributes may be empty.
        assert!(seen[1].timestamp > 1_700_000_000_000);
        assert_eq!((&seen[1].id, &seen[1].source), (&None, &None), "{name}");
        assert_eq!(seen[1].attributes, given("attributes").then(Vec::new), "{name}");
    }
}

fn a_tick_is_an_empty_batch(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let ticking = guest("ticking").transcribes().tick(100).write(folder.path());
    let silent = guest("silent").transcribes().write(folder.path());
    let run = broker.loghost(["run", "--format", "json"]).args([ticking, silent]).start();
    run.says("[ticking] plugin: tick");
    publish(broker, &[b"one"]);
    run.says("[ticking] plugin: 0|1|");
    run.has_printed(|so_far| so_far.lines().count() >= 2);
    run.has_said(|so_far| {
        so_far
            .split("[ticking] plugin: 0|1|")
            .nth(1)
            .is_some_and(|rest| rest.matches("[ticking] plugin: tick").count() >= 2)
    });
    let output = run.end_by(Signal::Terminate).exits(0);
    let said = lines(&output.stderr, "ticking");
    let log = said.iter().position(|line| *line != "tick").expect("its log");
    assert!(log >= 1 && said.len() - log >= 3, "no ticks before and after the log: {output}");
    assert_eq!(lines(&output.stderr, "silent").len(), 1, "{output}");
    // A tick is no log.
    for metric in output.json() {
        assert_eq!(metric["counts"], json!({"debug": 0, "info": 0, "error": 1, "critical": 0}), "{output}");
    }

    let ticking = guest("ticking").transcribes().tick(100).write(folder.path());
    let began = Instant::now();
    let output = broker.loghost(["run", "--until-idle", "1s"]).arg(ticking).end().exits(0);
    assert!(began.elapsed() < Duration::from_secs(20), "ticks keep it from being idle");
    assert!(lines(&output.stderr, "ticking").len() >= 3, "{output}");
}

/// The memory of a call is free for the next one, and what a plugin is given does not count as its output.
fn an_instance_lives_through_many_batches(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("steady").on("skip", Then::Skip).write(folder.path());
    declare(broker, slice::from_ref(&file));
    let lines: Vec<String> = (0..300).map(|n| format!("{n} {}", "x".repeat(20_000))).collect();
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin(lines.join("\n"));
    publish.end().exits(0);
    let limits = ["--max-batch", "100", "--max-memory", "4MiB", "--max-output", "64KiB"];
    let run = broker.loghost(["run", "--format", "json", "--max-logs", "300"]).arg(file).args(limits);
    let output = run.end().exits(0);
    assert_eq!(last(&output), [300, 0, 0], "{output}");
}

fn what_it_keeps_lasts_from_batch_to_batch(broker: &Broker) {
    let keeping = guest("keeping").keeps_count();
    let logs: Vec<&[u8]> = [b"log".as_slice()].repeat(25);
    let output = run(broker, &keeping, &logs, &["--max-batch", "3"]).exits(0);
    assert_eq!(last(&output), [25, 0, 0], "{output}");
    assert_eq!(output.json().pop().expect("a metric")["text"], "25", "{output}");
}
