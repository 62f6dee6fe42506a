//! `loghost run --queue-type stream --bind`: exchanges of others, read from a stream of each.

use std::path::Path;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::json;

use super::streams::KINDS;
use crate::support::broker::{Broker, on};
use crate::support::cli::{Loghost, Signal};
use crate::support::dead_letters::{dead_letters, list, reject};
use crate::support::guest::guest;
use crate::support::metrics::{counts, errors, last_of, tally};
use crate::support::outside::Outside;
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(KINDS, "bound_streams::are_counted_exactly_when_killed", are_counted_exactly_when_killed),
        on(KINDS, "bound_streams::each_log_of_a_message_has_its_verdict", each_log_has_its_verdict),
        on(KINDS, "bound_streams::an_exchange_comes_and_goes", an_exchange_comes_and_goes),
        on(KINDS, "bound_streams::take_the_place_of_a_queue", take_the_place_of_a_queue),
        on(KINDS, "bound_streams::are_read_again", are_read_again),
        on(KINDS, "bound_streams::have_what_other_rules_bring", have_what_other_rules_bring),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `loghost run` that reads streams, with metrics as JSON.
fn run(broker: &Broker, rules: &[&str]) -> Loghost {
    let run = ["run", "--queue-type", "stream", "--every", "20ms", "--format", "json"];
    let run = broker.loghost(run).args(["--check-topology-every", "1s"]).unless_ephemeral(&[]);
    rules.iter().fold(run, |run, rule| run.args(["--bind", rule]))
}

fn plugin(name: &str) -> std::path::PathBuf {
    tracked(&format!("plugins/{name}.wasm"))
}

/// Exchanges of producers.
fn exchanges<const N: usize>(broker: &Broker, names: [&str; N]) -> ([String; N], Outside) {
    let (exchanges, outside) = (names.map(|name| format!("{}-{name}", broker.prefix())), broker.outside());
    for exchange in &exchanges {
        outside.declare_exchange(exchange, ExchangeKind::Topic);
    }
    (exchanges, outside)
}

/// Three logs in a message: an error, one for debugging, and another error.
const THREE: &str = r#"{"level":"error","msg":"one"}
{"level":"debug","msg":"two"}
{"level":"error","msg":"three"}"#;

/// Of one exchange each message says how serious its logs are, three in each; of the other the rule does.
fn are_counted_exactly_when_killed(broker: &Broker) {
    let ([said, named], outside) = exchanges(broker, ["said", "named"]);
    let folder = tempfile::tempdir().expect("a folder");
    let rules = [&*said, &format!("{named}/*.error=error"), &format!("{named}/*.info=info")];
    // One of them is shown its logs, so that verdicts are of parts of messages; the others are only counted.
    let shown = guest("shown").severities(&["error"]).processes().write(folder.path());
    let run = || {
        let run = run(broker, &rules).arg("--state").arg(folder.path().join("state"));
        run.args(["--max-batch", "7"]).args([&plugin("error"), &plugin("debug-info"), &shown])
    };
    let publish = |messages: usize| {
        let message = |n: usize| match n % 3 {
            0 => (&*said, "shop", THREE.to_owned(), BasicProperties::default()),
            1 => (&*named, "shop.error", THREE.to_owned(), BasicProperties::default()),
            _ => (&*named, "shop.info", "text".to_owned(), BasicProperties::default()),
        };
        outside.publish_all((0..messages).map(message));
    };
    let mut all = 0;
    for part in [600, 900] {
        let running = run().start();
        running.has_consuming(&["error", "debug-info", "shown"]);
        publish(part);
        let random = all as u64 + fastrand::u64(1..=part as u64 / 2);
        running.has_printed(|so_far| errors(&last_of(so_far, "shown"))[0] >= random);
        running.end_by(Signal::Kill);
        publish(30);
        all += part + 30;
    }
    let output = run().args(["--until-idle", "500ms"]).end().exits(0);
    let each = all as u64 / 3;
    for (consumer, counts) in [
        ("error", [0, 0, 2 * each + each, 0]),
        ("shown", [0, 0, 2 * each + each, 0]),
        ("debug-info", [each, each, 0, 0]),
    ] {
        let metric = last_of(&output.stdout, consumer);
        assert_eq!(
            (&metric["counts"], &metric["repeated"]),
            (&tally(counts), &json!(0)),
            "{consumer}: {output}"
        );
        assert_eq!((&metric["foreign"], &metric["undetermined"]), (&json!(0), &json!(0)), "{consumer}");
        assert_eq!(outside.depth(&broker.queue(consumer)), Some(0), "its queue is bound to nothing");
    }
}

/// The one that is rejected comes back by itself, through the queue; without an id, it is another log then.
fn each_log_has_its_verdict(broker: &Broker) {
    let ([exchange], outside) = exchanges(broker, ["app"]);
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error"]).fields(&["attributes"]);
    let plugin = picky.clone().on("three", reject("no")).write(folder.path());
    let state = folder.path().join("state");
    let host = run(broker, &[&exchange]).arg("--state").arg(&state).arg(plugin).start();
    host.says("consuming from");
    outside.publish_all([(&*exchange, "shop", THREE.to_owned(), BasicProperties::default())]);
    counts(&host, "picky", [1, 1]);
    host.end_by(Signal::Terminate).exits(0);
    let [dead_letter] = list(broker, "picky", &[]).try_into().expect("one dead letter");
    let said =
        ["message", "severity", "source", "log_number", "exchange"].map(|key| dead_letter[key].clone());
    let expected = ["three", "error", "shop", "3/3", &exchange].map(|text| json!(text));
    assert_eq!(said, expected, "{dead_letter}");
    dead_letters(broker, "replay", ["picky", "--all"]).end().exits(0).prints("replayed 1  left 0");
    let mended = picky.version("2").processes().write(folder.path());
    let rest = run(broker, &[&exchange]).arg("--state").arg(&state).arg(mended);
    let output = rest.args(["--max-logs", "1"]).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "picky")), [2, 1], "{output}");
}

fn an_exchange_comes_and_goes(broker: &Broker) {
    let (exchange, outside) = (format!("{}-app", broker.prefix()), broker.outside());
    let host = run(broker, &[&format!("{exchange}/shop.#=error")]).arg(plugin("error")).start();
    host.says(&format!("the exchange `{exchange}` is not there: it is looked for at intervals"));
    host.says("consuming from");
    for round in 1..=2 {
        outside.declare_exchange(&exchange, ExchangeKind::Topic);
        let found = format!("the exchange `{exchange}` is there: bound");
        host.has_said(|said| said.matches(&found).count() == round);
        outside.publish_all([(&*exchange, "shop.cart", "disk full".to_owned(), BasicProperties::default())]);
        counts(&host, "error", [round as u64, 0]);
        outside.delete_exchange(&exchange);
        let missing = format!("the exchange `{exchange}` is not there");
        host.has_said(|said| said.matches(&missing).count() == round + 1);
    }
    host.end_by(Signal::Terminate).exits(0);
}

/// What a run with a queue has bound is unbound when the streams are read.
fn take_the_place_of_a_queue(broker: &Broker) {
    let ([exchange, former], outside) = exchanges(broker, ["app", "former"]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = |exchange| (exchange, "shop", "level=error msg=x".to_owned(), BasicProperties::default());
    let queued = broker
        .loghost(["run", "--every", "20ms", "--format", "json", "--bind", &exchange, "--bind", &former]);
    let queued = queued.unless_ephemeral(&[]).arg("--state").arg(folder.path()).arg(plugin("error")).start();
    queued.says("consuming from");
    outside.publish_all([log(&*exchange), log(&former)]);
    counts(&queued, "error", [2, 0]);
    queued.end_by(Signal::Terminate).exits(0);
    let host = run(broker, &[&exchange]).arg("--state").arg(folder.path()).arg(plugin("error")).start();
    host.says("consuming from");
    outside.publish_all([log(&*exchange), log(&former)]);
    counts(&host, "error", [3, 0]);
    host.end_by(Signal::Terminate).exits(0);
    outside.publish_all([log(&*exchange), log(&former)]);
    assert_eq!(outside.depth(&broker.queue("error")), Some(0));
}

/// By `replay`, and by `tail`, which is shown what it asks for alone.
fn are_read_again(broker: &Broker) {
    let ([said, named], outside) = exchanges(broker, ["said", "named"]);
    let rules = [&*said, &format!("{named}/*.error=error")];
    let plugins = [plugin("error"), plugin("debug-info")];
    run(broker, &rules).arg("--declare-only").args(&plugins).end().exits(0);
    let undetermined = "it says nothing";
    for (exchange, key, body) in
        [(&said, "shop", THREE), (&named, "shop.error", "disk full"), (&said, "shop", undetermined)]
    {
        outside.publish_all([(&**exchange, key, body.to_owned(), BasicProperties::default())]);
    }
    let past = |command: &'static str| {
        let past = broker.loghost([command, "--format", "json", "--from", "first"]);
        rules.iter().fold(past, |past, rule| past.args(["--bind", rule]))
    };
    let output = past("replay").args(&plugins).end().exits(0);
    let metric = |name: &str| last_of(&output.stdout, name)["counts"].clone();
    assert_eq!(metric("error"), tally([0, 0, 3, 0]), "{output}");
    assert_eq!(metric("debug-info"), tally([1, 1, 0, 0]), "{output}");
    let output = past("tail").args(["--severity", "error", "--max-logs", "3"]).end().exits(0);
    let mut messages: Vec<String> =
        output.json().iter().map(|log| log["message"].as_str().expect("a text").to_owned()).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["disk full", "one", "three"], "{output}");
}

/// A stream has what all hosts want of its exchange, and each takes what its rules name.
fn have_what_other_rules_bring(broker: &Broker) {
    let ([exchange], outside) = exchanges(broker, ["app"]);
    let rule = |key: &str, plugin: &Path| run(broker, &[&format!("{exchange}/{key}=error")]).arg(plugin);
    let folder = tempfile::tempdir().expect("a folder");
    let other = guest("other").severities(&["error"]).processes().write(folder.path());
    rule("a", &plugin("error"))
        .arg("--declare-only")
        .end()
        .exits(0)
        .says(&format!("{}.bound.{exchange}", broker.prefix()));
    rule("b", &other).arg("--declare-only").end().exits(0);
    let log = |key| (&*exchange, key, "text".to_owned(), BasicProperties::default());
    outside.publish_all([log("a"), log("b"), log("a"), log("c")]);
    for (key, plugin, name, expected) in [("a", plugin("error"), "error", 2), ("b", other, "other", 1)] {
        let output = rule(key, &plugin).args(["--from", "first", "--until-idle", "500ms"]).end().exits(0);
        let metric = last_of(&output.stdout, name);
        assert_eq!((errors(&metric), &metric["foreign"]), ([expected, 0], &json!(0)), "{output}");
    }
}
