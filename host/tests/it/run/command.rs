//! `loghost run`: how it ends, what it leaves, what it refuses.

use std::fs;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on, on_each, unique};
use crate::support::cli::{Signal, loghost};
use crate::support::metrics::{CONSUMERS, last_of_text, total};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("run::refuses_two_plugins_of_one_name", refuses_two_plugins_of_one_name),
        test("run::refuses_what_is_no_plugin", refuses_what_is_no_plugin),
        test("run::refuses_a_setting_that_no_plugin_knows", refuses_a_setting_that_no_plugin_knows),
        test("run::refuses_wrong_arguments", refuses_wrong_arguments),
    ];
    trials.extend(on(
        Kind::QUEUES,
        "run::counts_so_many_logs_and_goes_on_later",
        counts_so_many_logs_and_goes_on_later,
    ));
    trials.extend(on_each("run::leaves_nothing_when_ephemeral", leaves_nothing_when_ephemeral));
    trials.extend(on(Kind::QUEUES, "run::loses_no_log_when_interrupted", loses_no_log_when_interrupted));
    trials.extend(on_each("run::counts_many_logs", counts_many_logs));
    trials.extend(on(Kind::QUEUES, "run::ends_when_nobody_reads", ends_when_nobody_reads));
    trials
}

/// Declares the queue of `error`, and puts `n` logs into it.
#[track_caller]
fn fill(broker: &Broker, n: u32) {
    broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm")).end().exits(0);
    let lines = "no space left on device\n".repeat(n as usize);
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--require-route"]);
    publish.stdin(lines).end().exits(0).prints(&format!("error {n} "));
    broker.outside().wait_for_depth(&broker.queue("error"), n);
}

fn counts_so_many_logs_and_goes_on_later(broker: &Broker) {
    fill(broker, 10);
    let some = broker.loghost(["run", "--max-logs", "4"]).arg(tracked("plugins/error.wasm")).end().exits(0);
    assert_eq!(total(&last_of_text(&some.stdout), "error"), Some(4), "{some}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(6));

    let rest =
        broker.loghost(["run", "--until-idle", "1s"]).arg(tracked("plugins/error.wasm")).end().exits(0);
    assert_eq!(total(&last_of_text(&rest.stdout), "error"), Some(6), "{rest}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
}

fn leaves_nothing_when_ephemeral(broker: &Broker) {
    let run =
        broker.loghost(["run", "--ephemeral", "--every", "50ms"]).arg(tracked("plugins/error.wasm")).start();
    let ready = run.says("consuming from");
    let queue = ready.split_once("error (").and_then(|(_, rest)| rest.strip_suffix(')'));
    let queue = queue.unwrap_or_else(|| panic!("no queue in `{ready}`"));
    broker.loghost(["publish", "error", "a look", "--require-route"]).end().exits(0);
    run.prints("total     1");
    run.end_by(Signal::Interrupt).exits(0);

    let outside = broker.outside();
    outside.wait_until_gone(queue);
    assert_eq!(outside.depth(&broker.queue("error")), None, "a durable queue was declared");
}

/// What a run that is interrupted has counted is acknowledged, and all else is still in the queue.
fn loses_no_log_when_interrupted(broker: &Broker) {
    const LOGS: u32 = 20_000;
    fill(broker, LOGS);
    let run = broker.loghost(["run", "--every", "10ms"]).arg(tracked("plugins/error.wasm")).start();
    run.prints("total");
    let output = run.end_by(Signal::Interrupt).exits(0);
    let counted = total(&last_of_text(&output.stdout), "error").expect("a metric");
    let left = broker.outside().depth(&broker.queue("error")).expect("the queue is there");
    assert_eq!(counted + u64::from(left), u64::from(LOGS), "{counted} counted, {left} left: {output}");
}

fn counts_many_logs(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("many.txt");
    fs::write(&file, "debug x8000: a\ninfo x6000 @web-1: b\nerror x5000 disk=sda: c\ncritical x1000:\n")
        .expect("a file in a folder of ours");
    let run = broker.loghost(["run", "--every", "50ms"]).arg(tracked("plugins")).start();
    run.says("consuming from");
    broker.loghost(["publish", "--require-route", "--file"]).arg(&file).end().exits(0).prints("total 20000");
    let expected = [20_000, 1000, 14_000, 5000].map(Some);
    run.has_printed(|so_far| {
        let last = last_of_text(so_far);
        CONSUMERS.map(|name| total(&last, name)) == expected
    });
    let output = run.end_by(Signal::Terminate).exits(0);
    let last = last_of_text(&output.stdout);
    assert_eq!(CONSUMERS.map(|name| total(&last, name)), expected, "{output}");
    assert_eq!(
        last["all"],
        "debug     8000\ninfo      6000\nerror     5000\ncritical  1000\ntotal     20000"
    );
}

fn ends_when_nobody_reads(broker: &Broker) {
    fill(broker, 3);
    let run = broker.loghost(["run", "--every", "10ms"]).arg(tracked("plugins/error.wasm")).unread();
    run.end().exits(0).does_not_say("panicked");
}

fn refuses_two_plugins_of_one_name() {
    let (plugin, folder) = (tracked("plugins/error.wasm"), tempfile::tempdir().expect("a folder"));
    let copy = folder.path().join("copy.wasm");
    fs::copy(&plugin, &copy).expect("a folder of ours");
    let run = loghost(["run"]).arg(&plugin).arg(copy);
    run.end().exits(78).says("another plugin of this run is called `error`").says("--set FILE.KEY=VALUE");
    loghost(["run"]).arg(&plugin).arg(&plugin).end().exits(78).says("is given twice");
}

fn refuses_what_is_no_plugin() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.wasm");
    loghost(["run"]).arg(&missing).end().exits(65).says("missing.wasm");

    let text = folder.path().join("text.wasm");
    fs::write(&text, "not a component").expect("a file in a folder of ours");
    loghost(["run"]).arg(&text).end().exits(65).says("text.wasm").does_not_say("panicked");

    let module = folder.path().join("module.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").expect("a file in a folder of ours");
    loghost(["run"]).arg(&module).end().exits(65).says("module.wasm").says("component");

    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder in a folder of ours");
    loghost(["run"]).arg(&empty).end().exits(65).says("no `.wasm` file");
}

fn refuses_a_setting_that_no_plugin_knows() {
    let run = loghost(["run", "--set", "treshold=3"]).arg(tracked("plugins/error.wasm"));
    run.end().exits(78).says("--set treshold: ").says("error takes none");
}

fn refuses_wrong_arguments() {
    let prefix = unique("a.b");
    let wrong: [&[&str]; 8] = [
        &[],
        &["--max-logs", "0", "plugins"],
        &["--every", "soon", "plugins"],
        &["--until-idle", "0s", "plugins"],
        &["--set", "key", "plugins"],
        &["--ephemeral", "--declare-only", "plugins"],
        &["--prefix", &prefix, "plugins"],
        &["--broker", "http://localhost", "plugins"],
    ];
    for arguments in wrong {
        let output = loghost(["run"]).args(arguments).end().exits(2).says("error");
        assert_eq!(output.stdout, "", "{output}");
    }
}
