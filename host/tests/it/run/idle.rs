//! `run --until-idle`: it ends when there is nothing left to do, and only then.

use std::fs;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on, on_each, on_nodes};
use crate::support::cli::Signal;
use crate::support::guest::{Does, Then, declare, guest};
use crate::support::metrics::{last_of_text, total};
use crate::support::rabbitmq::{Node, Setup};
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on_nodes("idle::an_outage_is_not_quiet", Setup::default(), an_outage_is_not_quiet),
        on(Kind::QUEUES, "idle::who_stands_by_waits_for_its_queue", who_stands_by_waits_for_its_queue),
        on_each("idle::who_stands_by_ends_and_says_so", who_stands_by_ends_and_says_so),
        on_each("idle::what_the_client_has_is_not_left", what_the_client_has_is_not_left),
        on(Kind::QUEUES, "idle::a_stopped_consumer_is_not_waited_for", a_stopped_consumer_is_not_waited_for),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const PUBLISH: [&str; 5] = ["publish", "--stdin", "--severity", "error", "--require-route"];

fn an_outage_is_not_quiet(node: &mut Node, broker: &Broker) {
    const QUIET: &str = "3s";
    let run = broker.loghost(["run", "--until-idle", QUIET]).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    node.kill();
    run.says("lost the connection");
    // Attempts 0.1 s, 0.2 s, 0.4 s and so on after each other, each delay up to twice as long.
    run.has_said(|said| said.matches("trying again in").count() >= 8);
    node.restart();
    broker.loghost(PUBLISH).args(["--retry-for", "1m"]).stdin("a\n".repeat(100)).end().exits(0);
    let output = run.end().exits(0);
    assert_eq!(total(&last_of_text(&output.stdout), "error"), Some(100), "{output}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
}

/// Nor while the other host has unacknowledged logs, which may be requeued.
fn who_stands_by_waits_for_its_queue(broker: &Broker) {
    let error = tracked("plugins/error.wasm");
    let active = broker.loghost(["run", "--prefetch", "10"]).arg(&error).start();
    active.says("consuming from");
    active.signal(Signal::Stop);
    broker.loghost(PUBLISH).stdin("a\n".repeat(100)).end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("error"), 90);
    // Not before: it would have nothing to wait for.
    let next = broker.loghost(["run", "--until-idle", "1s"]).arg(&error).start();
    next.says("standing by");
    // One with nothing to do ends meanwhile.
    for _ in 0..2 {
        broker.loghost(["run", "--until-idle", "1s"]).arg(tracked("plugins/critical.wasm")).end().exits(0);
    }
    active.end_by(Signal::Kill);
    let output = next.end().exits(0);
    assert_eq!(total(&last_of_text(&output.stdout), "error"), Some(100), "{output}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
}

/// Beside one that consumes, a job ends, and says that it has counted nothing.
fn who_stands_by_ends_and_says_so(broker: &Broker) {
    const NOTICE: &str = "[error] ends while it stands by";
    let run = |arguments: &[&str]| broker.loghost(["run"]).args(arguments).arg(tracked("plugins/error.wasm"));
    let active = run(&["--every", "50ms"]).start();
    active.says("consuming from");
    broker.loghost(PUBLISH).stdin("a\n".repeat(10)).end().exits(0);
    active.prints("total     10");
    let output = run(&["--until-idle", "300ms"]).end().exits(0).says(NOTICE);
    assert_eq!(total(&last_of_text(&output.stdout), "error"), Some(0), "{output}");
    active.end_by(Signal::Terminate).exits(0);
    run(&["--until-idle", "300ms"]).end().exits(0).does_not_say(NOTICE);
}

/// A plugin that takes longer over a log than the others may wait.
fn what_the_client_has_is_not_left(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let slow =
        guest("slow").severities(&["error"]).on("", Then::Do(Does::LoopMillions(300))).write(folder.path());
    declare(broker, std::slice::from_ref(&slow));
    broker.loghost(PUBLISH).stdin("a\n".repeat(4)).end().exits(0);
    let run = broker.loghost(["run", "--until-idle", "10ms", "--max-batch", "1", "--format", "json"]);
    let output = run.args(["--time-limit", "1m"]).arg(&slow).end().exits(0);
    assert_eq!(output.json().pop().expect("a metric")["counts"]["error"], 4, "{output}");
    assert_eq!(broker.outside().depth(&broker.queue("slow")), Some(0));
}

/// Its queue is left as it is, and the exit status says so.
fn a_stopped_consumer_is_not_waited_for(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("both")).expect("a folder in a folder of ours");
    let bad = guest("broken").severities(&["error"]).on("", Then::Do(Does::Panic));
    let files = [bad.write(folder.path()), guest("good").severities(&["error"]).write(folder.path())];
    declare(broker, &files);
    broker.loghost(PUBLISH).stdin("a\n".repeat(100)).end().exits(0);
    let run = broker.loghost(["run", "--until-idle", "1s", "--format", "json"]).args(&files).end().exits(75);
    let good = run.json().into_iter().rfind(|metric| metric["consumer"] == "good").expect("a metric");
    assert_eq!(good["counts"]["error"], 100, "{run}");
    assert!(broker.outside().depth(&broker.queue("broken")) > Some(0));
}
