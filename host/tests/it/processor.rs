//! Processors: what they are given, and what becomes of what they say.

use std::slice;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::dead_letters;
use crate::support::broker::{Broker, on_each, on_nodes};
use crate::support::cli::{Output, Signal};
use crate::support::guest::{Does, Guest, Seen, Then, declare, guest, lines, seen};
use crate::support::rabbitmq::{Node, Setup};

pub(crate) fn trials() -> Vec<Trial> {
    let narrow = Setup { config: "max_message_size = 65536", ..Setup::default() };
    [
        on_nodes(
            "processor::what_is_too_large_to_publish_costs_a_log",
            narrow,
            what_is_too_large_to_publish_costs_a_log,
        ),
        on_each("processor::logs_come_in_order", logs_come_in_order),
        on_each("processor::fields_come_if_asked_for", fields_come_if_asked_for),
        on_each("processor::what_is_skipped_is_not_accepted", what_is_skipped_is_not_accepted),
        on_each("processor::what_is_rejected_is_a_dead_letter", what_is_rejected_is_a_dead_letter),
        on_each("processor::what_is_retried_comes_again", what_is_retried_comes_again),
        on_each("processor::retries_have_an_end", retries_have_an_end),
        on_each("processor::publishes_what_it_may", publishes_what_it_may),
        on_each("processor::a_circle_has_an_end", a_circle_has_an_end),
        on_each("processor::a_tick_is_an_empty_batch", a_tick_is_an_empty_batch),
        on_each("processor::a_trap_costs_one_log", a_trap_costs_one_log),
        on_each("processor::a_batch_that_traps_is_split", a_batch_that_traps_is_split),
        on_each("processor::verdicts_are_checked", verdicts_are_checked),
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

/// Runs a plugin until it has counted all of these logs of severity error, which are in its queue before.
#[track_caller]
fn run(broker: &Broker, guest: &Guest, logs: &[&[u8]], arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest.write(folder.path());
    declare(broker, slice::from_ref(&file));
    publish(broker, logs);
    let enough = logs.len().to_string();
    broker.loghost(["run", "--format", "json", "--max-logs", &enough]).arg(file).args(arguments).end()
}

/// Its logs are those of a producer: with ids, in the queue of whoever wants them. Without the grant it does not start.
fn publishes_what_it_may(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let echo = guest("echo").severities(&["error"]).publishes("info").write(folder.path());
    let listens = guest("listens").severities(&["info"]).fields(&["id", "source"]).transcribes();
    let listens = listens.write(folder.path());
    let refused = broker.loghost(["run", "--declare-only"]).args([&echo, &listens]).end();
    refused.exits(78).says("wants to publish logs (info): allow it with --grant publish");
    let run = broker.loghost(["run", "--every", "50ms", "--format", "json", "--grant", "publish"]);
    let run = run.args([&echo, &listens]).start();
    run.says("consuming from");
    publish(broker, &[b"one", b"two", b"three"]);
    run.has_printed(|so_far| {
        let last = |name| crate::poison::last_of(so_far, name)["counts"].clone();
        last("echo")["error"] == 3 && last("listens")["info"] == 3
    });
    let output = run.end_by(Signal::Terminate).exits(0);
    let derived = seen(&output.stderr, "listens");
    assert!(
        derived.iter().all(|log| (log.message.as_str(), log.source.as_deref()) == ("derived", Some("echo"))),
        "{output}"
    );
    let ids = derived.iter().filter_map(|log| log.id.as_deref()?.rsplit('/').next());
    assert_eq!(ids.collect::<Vec<_>>(), ["1", "2", "3"], "{output}");
}

/// It fails at the log, as by a trap, and does not keep what it has made of it.
fn what_is_too_large_to_publish_costs_a_log(_node: &mut Node, broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let loud = guest("loud").severities(&["error"]).keeps_count();
    let loud = loud.publishes_text("info", &"x".repeat(100_000)).write(folder.path());
    let run = |arguments: &[&str]| {
        broker.loghost(["run", "--grant", "publish"]).args(arguments).arg(&loud).end().exits(0)
    };
    run(&["--declare-only"]);
    publish(broker, &[b"one", b"two", b"three"]);
    let output = run(&["--until-idle", "500ms", "--format", "json"]);
    let last = output.says("which is given up: PRECONDITION_FAILED").json().pop().expect("a metric");
    assert_eq!((&last["text"], &last["counts"]["error"]), (&json!("0"), &json!(0)), "{last}");
    let letters = dead_letters::list(broker, "loud", &[]);
    let reason = "process: the broker does not take a log that it publishes: PRECONDITION_FAILED";
    let reasons: Vec<&str> = letters.iter().filter_map(|letter| letter["reason"].as_str()).collect();
    assert_eq!(reasons.len(), 3, "{letters:?}");
    assert!(reasons.iter().all(|given| given.starts_with(reason)), "{reasons:?}");
}

/// A consumer that publishes what it consumes is told of, and fills no broker.
fn a_circle_has_an_end(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let echo = guest("circle").severities(&["error", "info"]).publishes("error").write(folder.path());
    let run = broker.loghost(["run", "--every", "50ms", "--format", "json", "--grant", "publish"]).arg(&echo);
    let run = run.start();
    run.says("circle.wasm: publishes error logs, and consumes such logs");
    run.says("consuming from");
    broker.loghost(["publish", "info", "the first"]).end().exits(0);
    run.has_printed(|so_far| crate::poison::last_of(so_far, "circle")["rejected"]["error"] == 1);
    let output = run.end_by(Signal::Terminate).exits(0);
    let last = crate::poison::last_of(&output.stdout, "circle");
    assert_eq!((&last["counts"]["info"], &last["counts"]["error"]), (&json!(1), &json!(7)), "{output}");
    let letters = dead_letters::list(broker, "circle", &["--outcome", "loop"]);
    assert_eq!(letters.len(), 1, "{letters:?}");
    let reason = "consumers publish in a circle: it has come through 8 of them, one because of the other";
    assert_eq!(letters[0]["reason"], json!(reason));
    assert_eq!(broker.outside().depth(&broker.queue("circle")), Some(0));
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
            batch.iter().enumerate().all(|(n, seen)| (seen.place, seen.batch) == (n, first.batch)),
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
        // What the producer does not say is absent, whoever asks; it cannot but say attributes.
        assert!(seen[1].timestamp > 1_700_000_000_000);
        assert_eq!((&seen[1].id, &seen[1].source), (&None, &None), "{name}");
        assert_eq!(seen[1].attributes, given("attributes").then(Vec::new), "{name}");
    }
}

fn what_is_skipped_is_not_accepted(broker: &Broker) {
    let picky = guest("picky").on("skip", Then::Skip);
    let output = run(broker, &picky, &[b"one", b"skip", b"two", b"skip too", b"ski"], &[]).exits(0);
    assert_eq!(last(&output), [3, 2, 0], "{output}");
    assert_eq!(broker.outside().depth(&broker.queue("picky")), Some(0));
}

fn what_is_rejected_is_a_dead_letter(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("picky").on("reject", Then::Reject("it is no good".to_owned())).write(folder.path());
    declare(broker, slice::from_ref(&file));
    let outside = broker.outside();
    let exchange = broker.exchange("error");
    let properties = BasicProperties::default()
        .with_message_id("m-1".into())
        .with_app_id("db.1".into())
        .with_content_type("text/plain".into())
        .with_timestamp(1_700_000_000)
        .with_headers(headers(&[("disk", "sda")]))
        .with_expiration("600000".into());
    let body = b"reject \xff\x00 this";
    outside.publish(&exchange, "", b"one", BasicProperties::default());
    outside.publish(&exchange, "db.1", body, properties);
    outside.publish(&exchange, "", b"two", BasicProperties::default());
    let run = broker.loghost(["run", "--format", "json", "--max-logs", "3"]).arg(file);
    let output = run.end().exits(0);
    assert_eq!(last(&output), [2, 0, 1], "{output}");
    assert_eq!(outside.depth(&broker.queue("picky")), Some(0), "the original is acknowledged");

    let dead = format!("{}.dead", broker.queue("picky"));
    assert_eq!(outside.depth(&dead), Some(1));
    let letter = outside.take(&dead);
    assert_eq!(letter.data, body);
    assert_eq!(
        (letter.exchange.as_str(), letter.routing_key.as_str()),
        (broker.exchange("dead").as_str(), "picky")
    );
    let kept = &letter.properties;
    assert_eq!(kept.message_id().as_ref().map(ShortString::as_str), Some("m-1"));
    assert_eq!(kept.app_id().as_ref().map(ShortString::as_str), Some("db.1"));
    assert_eq!(kept.content_type().as_ref().map(ShortString::as_str), Some("text/plain"));
    assert_eq!(*kept.timestamp(), Some(1_700_000_000));
    assert_eq!(*kept.delivery_mode(), Some(2));
    // It would go again.
    assert_eq!(*kept.expiration(), None);
    let headers = kept.headers().clone().unwrap_or_default();
    let header = |key: &str| match headers.inner().get(key) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        Some(AMQPValue::LongLongInt(number)) => number.to_string(),
        other => panic!("{key}: {other:?} in {headers:?}"),
    };
    for (key, value) in [
        ("disk", "sda"),
        ("loghost-outcome", "reject"),
        ("loghost-reason", "it is no good"),
        ("loghost-attempts", "1"),
        ("loghost-exchange", exchange.as_str()),
        ("loghost-routing-key", "db.1"),
        ("loghost-original-expiration", "600000"),
    ] {
        assert_eq!(header(key), value, "{key}");
    }
    assert!(header("loghost-time").parse::<u64>().is_ok_and(|time| time > 1_700_000_000_000));
}

fn what_is_retried_comes_again(broker: &Broker) {
    let later = Then::Retry("not yet".to_owned());
    let patient = guest("patient").transcribes().on_attempts_below(3, "retry", later);
    let began = Instant::now();
    let output = run(broker, &patient, &[b"one", b"retry", b"two", b"three"], &[]).exits(0);
    let seen = seen(&output.stderr, "patient");
    let expected = [("one", 1), ("retry", 1), ("two", 1), ("three", 1), ("retry", 2), ("retry", 3)];
    assert_eq!(messages(&seen), expected, "{output}");
    assert!(began.elapsed() > Duration::from_secs(2), "it came again at once: {:?}", began.elapsed());
    assert_eq!(last(&output), [4, 0, 0], "{output}");
    let outside = broker.outside();
    assert_eq!(outside.depth(&broker.queue("patient")), Some(0));
    assert_eq!(outside.depth(&format!("{}.dead", broker.queue("patient"))), Some(0));
}

fn retries_have_an_end(broker: &Broker) {
    let outside = broker.outside();
    for (retries, attempts) in [("0", 1), ("1", 2)] {
        let name = format!("patient-{retries}");
        let patient = guest(&name).transcribes().on("retry", Then::Retry("never".to_owned()));
        let output = run(broker, &patient, &[b"retry", b"one"], &["--max-retries", retries]).exits(0);
        let seen = seen(&output.stderr, &name);
        let tried = seen.iter().filter(|seen| seen.message == "retry").map(|seen| seen.attempt);
        assert!(tried.eq(1..=attempts), "{output}");
        assert_eq!(last(&output), [1, 0, 1], "{output}");
        assert_eq!(outside.depth(&broker.queue(&name)), Some(0));
        let letter = outside.take(&format!("{}.dead", broker.queue(&name)));
        assert_eq!(letter.data, b"retry");
        let headers = letter.properties.headers().clone().unwrap_or_default();
        let tried = headers.inner().get("loghost-attempts");
        assert_eq!(tried, Some(&AMQPValue::LongLongInt(attempts.into())), "{headers:?}");
        let reason = headers.inner().get("loghost-reason");
        assert_eq!(reason, Some(&AMQPValue::LongString("never".into())), "{headers:?}");
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

/// The others do not notice, and it goes on itself.
fn a_trap_costs_one_log(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let frail = guest("frail").on("poison", Then::Do(Does::Panic)).write(folder.path());
    let calm = guest("calm").processes().write(folder.path());
    let run = broker.loghost(["run", "--format", "json", "--every", "10ms"]).args([frail, calm]).start();
    run.says("consuming from");
    publish(broker, &[b"one", b"poison"]);
    run.says("[frail] failed at one log (error, without an id), which goes to the dead letters");
    publish(broker, &[b"two", b"three"]);
    for (name, accepted, rejected) in [("calm", 4, 0), ("frail", 3, 1)] {
        run.has_printed(|so_far| {
            let metrics = so_far.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            metrics.into_iter().any(|metric| {
                let counts = ["counts", "rejected"].map(|counts| metric[counts]["error"].as_u64());
                metric["consumer"] == name && counts == [Some(accepted), Some(rejected)]
            })
        });
    }
    run.end_by(Signal::Terminate).exits(0).does_not_say("[calm] failed").does_not_say("stopped");
    let outside = broker.outside();
    assert_eq!(outside.depth(&broker.queue("frail")), Some(0));
    assert_eq!(outside.depth(&broker.queue("calm")), Some(0));
    is_dead(broker, "frail", "poison", "process: panicked");
    assert!(dead_letters::list(broker, "calm", &[]).is_empty());
}

/// Fails unless this log is the plugin's only dead letter, for which this is the reason.
#[track_caller]
fn is_dead(broker: &Broker, name: &str, message: &str, reason: &str) {
    let letters = dead_letters::list(broker, name, &[]);
    let [letter] = &letters[..] else { panic!("not one dead letter of {name}: {letters:?}") };
    assert_eq!((&letter["message"], &letter["outcome"]), (&json!(message), &json!("trap")), "{letter}");
    assert!(letter["reason"].as_str().is_some_and(|words| words.starts_with(reason)), "{letter}");
}

/// What came with it in a batch is judged in order, and counted once.
fn a_batch_that_traps_is_split(broker: &Broker) {
    let frail = guest("frail").transcribes().on("poison", Then::Do(Does::Panic));
    let logs: [&[u8]; 6] = [b"one", b"two", b"three", b"poison", b"four", b"five"];
    let output = run(broker, &frail, &logs, &[]).exits(0);
    assert_eq!(last(&output), [5, 0, 1], "{output}");
    let seen = seen(&output.stderr, "frail");
    // The last batch with it is the one in which it stood alone.
    let alone = seen.iter().rposition(|seen| seen.message == "poison").expect("it has seen it");
    assert_eq!((seen[alone].batch, seen[alone].attempt), (1, 1), "{output}");
    for log in ["one", "two", "three", "four", "five"] {
        let last = seen.iter().rposition(|seen| seen.message == log).expect("it has seen it");
        assert_eq!(last < alone, ["one", "two", "three"].contains(&log), "{log}: {output}");
    }
    assert_eq!(broker.outside().depth(&broker.queue("frail")), Some(0));
    is_dead(broker, "frail", "poison", "process: panicked");
}

/// A plugin that breaks the contract has failed as if it had trapped.
fn verdicts_are_checked(broker: &Broker) {
    let beyond = guest("beyond").on("judge", Then::SkipBehind(7));
    let twice = guest("twice").on("judge", Then::Skip).on("judge", Then::Reject("no".to_owned()));
    for (guest, words) in [
        (beyond, "process: returned a verdict for log 7 of a batch of 1"),
        (twice, "process: returned two verdicts for log 0"),
    ] {
        let output = run(broker, &guest, &[b"one", b"judge", b"two"], &["--max-batch", "1"]).exits(0);
        let output = output.says(words);
        assert_eq!(last(&output), [2, 0, 1], "{output}");
        assert_eq!(broker.outside().depth(&broker.queue(guest.name())), Some(0));
        is_dead(broker, guest.name(), "judge", words);
    }
}

/// What one call used is free for the next, and what a plugin is handed is not what it hands over.
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
