//! Logs that a processor publishes.

use std::path::Path;

use serde_json::json;

use super::publish;
use crate::support::broker::Broker;
use crate::support::cli::Signal;
use crate::support::dead_letters;
use crate::support::guest::{guest, seen};
use crate::support::metrics::last_of;
use crate::support::rabbitmq::Node;

/// Logs of a plugin have ids, and reach every consumer that wants them. Without the grant it does not start.
pub(super) fn publishes_what_it_may(broker: &Broker) {
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
        let last = |name| last_of(so_far, name)["counts"].clone();
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

/// The plugin has failed at the log, as by a trap: it starts afresh, and its state does not contain the log.
pub(super) fn what_is_too_large_to_publish_costs_a_log(_node: &mut Node, broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let loud = |name: &str| {
        let loud = guest(name).severities(&["error"]).publishes_text("info", &"x".repeat(100_000));
        loud.logs(1, "configured")
    };
    for (name, loud, text) in
        [("keeps", loud("keeps").keeps_count(), "0"), ("forgets", loud("forgets"), "the metric of forgets")]
    {
        costs_a_log(broker, name, &loud.write(folder.path()), text);
    }
}

fn costs_a_log(broker: &Broker, name: &str, loud: &Path, text: &str) {
    let run = |arguments: &[&str]| {
        broker.loghost(["run", "--grant", "publish"]).args(arguments).arg(loud).end().exits(0)
    };
    run(&["--declare-only"]);
    publish(broker, &[b"one", b"two", b"three"]);
    let output = run(&["--until-idle", "500ms", "--format", "json"]);
    let output = output.says("which is given up: PRECONDITION_FAILED");
    let last = output.json().pop().expect("a metric");
    assert_eq!((&last["text"], &last["counts"]["error"]), (&json!(text), &json!(0)), "{last}");
    let instances = output.stderr.matches("configured").count();
    assert!(instances > 3, "{instances} instances, one at the start and one after each log: {output}");
    let listed = dead_letters::list(broker, name, &[]);
    let reason = "process: the broker does not take a log that it publishes: PRECONDITION_FAILED";
    let reasons: Vec<&str> = listed.iter().filter_map(|dead_letter| dead_letter["reason"].as_str()).collect();
    assert_eq!(reasons.len(), 3, "{listed:?}");
    assert!(reasons.iter().all(|given| given.starts_with(reason)), "{reasons:?}");
}

/// A consumer that consumes what it publishes is reported, and the chain of logs ends.
pub(super) fn a_circle_has_an_end(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let echo = guest("circle").severities(&["error", "info"]).publishes("error").write(folder.path());
    let run = broker.loghost(["run", "--every", "50ms", "--format", "json", "--grant", "publish"]).arg(&echo);
    let run = run.start();
    run.says("circle.wasm: publishes error logs, and consumes such logs");
    run.says("consuming from");
    broker.loghost(["publish", "info", "the first"]).end().exits(0);
    run.has_printed(|so_far| last_of(so_far, "circle")["rejected"]["error"] == 1);
    let output = run.end_by(Signal::Terminate).exits(0);
    let last = last_of(&output.stdout, "circle");
    assert_eq!((&last["counts"]["info"], &last["counts"]["error"]), (&json!(1), &json!(7)), "{output}");
    let listed = dead_letters::list(broker, "circle", &["--outcome", "loop"]);
    assert_eq!(listed.len(), 1, "{listed:?}");
    let reason = "consumers publish in a circle: it has come through 8 of them, one because of the other";
    assert_eq!(listed[0]["reason"], json!(reason));
    assert_eq!(broker.outside().depth(&broker.queue("circle")), Some(0));
}
