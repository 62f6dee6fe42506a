//! Faults around a run that must not affect other logs or consumers: a start that fails half-way, a queue that is
//! deleted, a log that waits for its retry, a report that cannot be written, a broker that hangs or is full.

use std::fs::File;
use std::process::Stdio;
use std::slice::from_ref;

use lapin::BasicProperties;
use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on, on_each, start_embedded};
use crate::support::cli::{Signal, loghost};
use crate::support::guest::{Then, declare, guest};
use crate::support::metrics::{last_of_text, total};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("trouble::a_broker_that_stands_still", a_broker_that_stands_still),
        test("trouble::a_broker_that_is_full", a_broker_that_is_full),
    ];
    trials.extend(on_each("trouble::a_queue_made_otherwise", a_queue_made_otherwise));
    trials.extend(on(
        Kind::QUEUES,
        "trouble::one_that_could_not_begin_is_tried_again",
        one_that_could_not_begin_is_tried_again,
    ));
    trials.extend(on_each("trouble::a_deleted_queue", a_deleted_queue));
    trials.extend(on_each("trouble::a_connection_has_few_channels", a_connection_has_few_channels));
    trials.extend(on_each("trouble::ids_count_by_the_routing_key", ids_count_by_the_routing_key));
    trials.extend(on(Kind::QUEUES, "trouble::what_a_retry_leaves_behind", what_a_retry_leaves_behind));
    trials.extend(on_each("trouble::sources_are_routing_keys", sources_are_routing_keys));
    trials.extend(on_each("trouble::a_report_that_cannot_be_written", a_report_that_cannot_be_written));
    trials
}

fn publish_lines(broker: &Broker, severity: &str, lines: String) {
    let publish = broker.loghost(["publish", "--stdin", "--require-route", "--severity", severity]);
    publish.stdin(lines).end().exits(0);
}

/// The queue of one plugin is there already, made otherwise: that is no reason for the others not to begin.
fn a_queue_made_otherwise(broker: &Broker) {
    broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/all.wasm")).end().exits(0);
    broker.outside().listen(&broker.queue("error"), &broker.exchange("error"));
    publish_lines(broker, "info", "a\n".repeat(200));
    let run = broker.loghost(["run", "--until-idle", "1s"]).arg(tracked("plugins/all.wasm"));
    let run = run.arg(tracked("plugins/error.wasm")).end().exits(78);
    let run = run.says("[error] left out: ").says(&broker.queue("error")).says("--prefix");
    assert_eq!(total(&last_of_text(&run.stdout), "all"), Some(200), "{run}");
    broker.outside().wait_for_depth(&broker.queue("all"), 0);
}

/// Of a run without a configuration file.
fn one_that_could_not_begin_is_tried_again(broker: &Broker) {
    broker.outside().listen(&broker.queue("error"), &broker.exchange("error"));
    let plugins = [tracked("plugins/all.wasm"), tracked("plugins/error.wasm")];
    let run = broker.loghost(["run", "--every", "50ms"]).args(plugins).start();
    run.says("[error] left out: ");
    run.says("consuming from");
    broker.outside().delete(&broker.queue("error"));
    run.signal(Signal::Hangup);
    run.says("[error] begins to consume");
    publish_lines(broker, "error", "here now\n".to_owned());
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(1));
    run.has_printed(|so_far| total(&last_of_text(so_far), "all") == Some(1));
    run.end_by(Signal::Terminate).exits(78);
}

/// It is declared again, with its bindings; the other consumers do not notice.
fn a_deleted_queue(broker: &Broker) {
    let plugins = [tracked("plugins/all.wasm"), tracked("plugins/error.wasm")];
    let run = broker.loghost(["run", "--every", "50ms"]).args(plugins).start();
    run.says("consuming from");
    broker.outside().delete(&broker.queue("error"));
    run.says("was the queue deleted?: opening its queue again");
    run.says("[error] consuming");
    publish_lines(broker, "critical", "still here\n".to_owned());
    publish_lines(broker, "error", "here again\n".to_owned());
    run.prints("critical  1");
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(1));
    run.has_printed(|so_far| total(&last_of_text(so_far), "all") == Some(2));
    run.end_by(Signal::Terminate).exits(0).does_not_say("[all] the broker cancelled");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
}

/// However often a queue is opened again, it leaves no channel behind.
fn a_connection_has_few_channels(broker: &Broker) {
    let url = format!("{}?channel_max=3", broker.url());
    let run = loghost(["run", "--every", "50ms", "--broker", &url, "--prefix", broker.prefix()]);
    let run = run.arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    for times in 1..=4 {
        broker.outside().delete(&broker.queue("error"));
        run.has_said(|so_far| so_far.matches("[error] consuming").count() == times);
    }
    publish_lines(broker, "error", "here again\n".to_owned());
    run.prints("total     1");
    run.end_by(Signal::Terminate).exits(0);
}

/// Two logs with the same id are two if only one of them has its source as the routing key.
fn ids_count_by_the_routing_key(broker: &Broker) {
    let run =
        broker.loghost(["run", "--every", "50ms", "--format", "json"]).arg(tracked("plugins/error.wasm"));
    let run = run.start();
    run.says("consuming from");
    let outside = broker.outside();
    let id = || BasicProperties::default().with_message_id("loghost:q/1".into());
    outside.publish(&broker.exchange("error"), "x", b"one", id());
    outside.publish(&broker.exchange("error"), "", b"another", id().with_app_id("x".into()));
    outside.publish(&broker.exchange("error"), "x", b"one", id());
    run.prints("\"repeated\":1");
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.json().pop().expect("a metric")["counts"]["error"], 2, "{output}");
}

/// A log that waits for its retry goes back into the queue; what was finished behind it does not.
fn what_a_retry_leaves_behind(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("again").processes().on("retry", Then::Retry("busy".to_owned())).write(folder.path());
    declare(broker, from_ref(&plugin));
    publish_lines(broker, "error", format!("retry\n{}", "ok\n".repeat(50)));
    let run = broker.loghost(["run", "--every", "50ms", "--format", "json"]).arg(&plugin).start();
    run.prints("\"error\":50,");
    run.end_by(Signal::Terminate).exits(0);
    broker.outside().wait_for_depth(&broker.queue("again"), 1);
}

/// Bindings go by the routing key, whatever else a producer says of itself.
fn sources_are_routing_keys(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("narrow").severities(&["error"]).sources(&["db-1"]).write(folder.path());
    declare(broker, from_ref(&plugin));
    let elsewhere = BasicProperties::default().with_app_id("billing".into());
    for properties in [elsewhere, BasicProperties::default()] {
        broker.outside().publish(&broker.exchange("error"), "db-1", b"disk full", properties);
    }
    let run = broker.loghost(["run", "--until-idle", "1s", "--format", "json"]).arg(&plugin).end().exits(0);
    let last = run.json().pop().expect("a metric");
    assert_eq!(last["counts"]["error"], 2, "{run}");
}

/// Only that the reader has gone is no failure.
fn a_report_that_cannot_be_written(broker: &Broker) {
    broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm")).end().exits(0);
    publish_lines(broker, "error", "a\n".repeat(3));
    let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
    let run = broker.loghost(["run", "--until-idle", "2s"]).arg(tracked("plugins/error.wasm"));
    let run = run.start_with(full, Stdio::piped()).wait_with_output().expect("a process of ours");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(74), "{stderr}");
    assert!(stderr.contains("cannot write the report"), "{stderr}");
}

/// Its consumers end all the same, and say what they have counted.
fn a_broker_that_stands_still() {
    let (broker, url) = start_embedded();
    let run =
        loghost(["run", "--every", "50ms", "--broker", &url]).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    loghost(["publish", "error", "disk full", "--broker", &url]).end().exits(0);
    run.prints("total     1");
    broker.signal(Signal::Stop);
    let output = run.end_by(Signal::Interrupt).exits(0);
    assert_eq!(total(&last_of_text(&output.stdout), "error"), Some(1), "{output}");
}

/// A publisher says that it is blocked, and goes on when there is room.
fn a_broker_that_is_full() {
    let broker = loghost(["broker", "--listen", "127.0.0.1:0", "--max-memory", "64KiB"]).start();
    let url = broker.prints("amqp://");
    let plugin = tracked("plugins/debug-info.wasm");
    loghost(["run", "--declare-only", "--broker", &url]).arg(&plugin).end().exits(0);
    let lines = "no space left on device\n".repeat(5000);
    let publish =
        loghost(["publish", "--stdin", "--severity", "info", "--broker", &url]).stdin(lines).start();
    publish.says("holds publishers back");
    let run = loghost(["run", "--every", "50ms", "--broker", &url]).arg(&plugin).start();
    publish.end().exits(0).says("takes logs again").prints("total 5000");
    run.prints("total     5000");
    run.end_by(Signal::Terminate).exits(0);
}
