//! A running host whose broker stops answering, or is changed when the host connects again.

use libtest_mimic::Trial;

use crate::support::broker::{Broker, on_nodes, start_again, start_embedded};
use crate::support::cli::{Signal, loghost};
use crate::support::metrics::{last_of_text, total};
use crate::support::rabbitmq::{Node, Setup};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("severed::a_broker_that_falls_silent", a_broker_that_falls_silent),
        test("severed::a_broker_whose_place_another_takes", a_broker_whose_place_another_takes),
        test("severed::a_queue_that_is_another_after_a_reconnect", a_queue_that_is_another),
    ];
    trials.extend(on_nodes(
        "severed::a_password_that_is_changed",
        Setup::default(),
        a_password_that_is_changed,
    ));
    trials
}

/// When the connection is lost all URLs are tried, and what the next broker lacks is declared there.
fn a_broker_whose_place_another_takes() {
    let [(first, first_url), (second, second_url)] = [start_embedded(), start_embedded()];
    let urls = format!("{first_url},{second_url}");
    let run = loghost(["run", "--every", "50ms", "--broker", &urls]).arg(tracked("plugins/error.wasm"));
    let run = run.start();
    run.says("consuming from");
    first.end_by(Signal::Kill);
    run.says("[error] consuming");
    let publish = loghost(["publish", "error", "disk full", "--require-route", "--broker", &second_url]);
    publish.end().exits(0);
    run.prints("total     1");
    run.end_by(Signal::Terminate).exits(0);
    second.end_by(Signal::Terminate).exits(0);
}

/// Heartbeats that do not come are noticed, and what comes after is counted once.
fn a_broker_that_falls_silent() {
    let (embedded, url) = start_embedded();
    let plugin = tracked("plugins/error.wasm");
    let impatient = format!("{url}?heartbeat=1&connection_timeout=500");
    let run = loghost(["run", "--every", "50ms", "--broker", &impatient]).arg(&plugin).start();
    run.says("consuming from");
    let publish = |n: usize| {
        let publish = loghost(["publish", "--stdin", "--severity", "error", "--broker", &url]);
        publish.stdin("disk full\n".repeat(n)).end().exits(0);
    };
    publish(300);
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(300));
    embedded.signal(Signal::Stop);
    run.says("consuming: lost the connection");
    run.says("trying again in");
    embedded.signal(Signal::Continue);
    run.has_said(|said| said.lines().any(|line| line.contains("connected to") && line.ends_with("again")));
    publish(200);
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(500));
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(total(&last_of_text(&output.stdout), "error"), Some(500), "{output}");
    let outside = Broker::at(url).outside();
    assert_eq!(outside.depth("loghost.error"), Some(0));
}

/// The one consumer ends and says how to proceed, the others go on.
fn a_queue_that_is_another() {
    let (embedded, url) = start_embedded();
    let broker = Broker::at(url.clone());
    let plugins = [tracked("plugins/all.wasm"), tracked("plugins/error.wasm")];
    let run = broker.loghost(["run", "--every", "50ms"]).args(plugins).start();
    run.says("consuming from");
    // It looks away while the broker comes back with another queue.
    run.signal(Signal::Stop);
    drop(embedded.end_by(Signal::Kill));
    let _embedded = start_again(&url);
    broker.outside().listen(&broker.queue("error"), &broker.exchange("error"));
    run.signal(Signal::Continue);
    let end = run.says("cannot declare the queue");
    for word in [&broker.queue("error"), "inequivalent arg", "delete it, or use another --prefix"] {
        assert!(end.contains(word), "no `{word}` in {end}");
    }
    let publish =
        broker.loghost(["publish", "critical", "still here", "--require-route", "--retry-for", "1m"]);
    publish.end().exits(0);
    run.prints("critical  1");
    run.end_by(Signal::Terminate).exits(78);
}

/// A broker that does not let the user in any more is not asked again.
fn a_password_that_is_changed(node: &mut Node, broker: &Broker) {
    node.rabbitmqctl(&["add_user", "worker", "s3cret"]);
    node.rabbitmqctl(&["set_permissions", "worker", ".*", ".*", ".*"]);
    let broker = broker.as_user("worker", "s3cret");
    let run = broker.loghost(["run", "--every", "50ms"]).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let mut publish = broker.loghost(["publish", "--stdin", "--severity", "error"]).start();
    publish.write_line("disk full");
    run.prints("total     1");
    node.rabbitmqctl(&["change_password", "worker", "another"]);
    node.rabbitmqctl(&["close_all_connections", "the password was changed"]);
    for process in [run, publish] {
        process.has_said(|said| said.contains("ACCESS_REFUSED"));
        let output = process.end().exits(78).says("lost the connection").says("ACCESS_REFUSED");
        output.does_not_say("trying again").does_not_say("s3cret").does_not_say("another");
    }
}
