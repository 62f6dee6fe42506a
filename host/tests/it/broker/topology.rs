//! The check of the topology: exchanges and bindings that are removed, and policies that change, while a host consumes.

mod management;

use std::thread;
use std::time::{Duration, Instant};

use lapin::ExchangeKind;
use libtest_mimic::Trial;

use crate::support::TIMEOUT;
use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Running, Signal};
use crate::support::dead_letters::list;
use crate::support::guest::{Then, guest};
use crate::support::metrics::counts;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        on_each("topology::an_exchange_is_deleted", an_exchange_is_deleted),
        on_each("topology::an_exchange_is_made_again", an_exchange_is_made_again),
        on_each("topology::an_exchange_is_made_otherwise", an_exchange_is_made_otherwise),
        on_each("topology::a_binding_is_removed", a_binding_is_removed),
        on(Kind::QUEUES, "topology::a_look_is_mended_as_well", a_look_is_mended_as_well),
        on_each("topology::where_dead_letters_go", where_dead_letters_go),
    ]
    .into_iter()
    .flatten()
    .collect();
    trials.extend(management::trials());
    trials
}

/// A host that checks its topology every second.
fn run<const N: usize>(broker: &Broker, arguments: [&str; N]) -> (Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let reject = Then::Reject("no".to_owned());
    let plugin = guest("watchful").severities(&["error", "info"]).on("bad", reject).write(folder.path());
    let run = ["run", "--format", "json", "--every", "20ms", "--check-topology-every", "1s"];
    let running = broker.loghost(run).args(arguments).arg(plugin).start();
    running.says("consuming from");
    (running, folder)
}

/// Waits until it is said that an exchange was missing: by the check, or, if it was deleted between two steps of a
/// check, by the consumer that opened its queue again.
#[track_caller]
fn says_missing(run: &Running, exchange: &str) {
    let by_the_check = format!("[watchful] the exchange `{exchange}` was missing: declared and bound again");
    let by_the_consumer = format!("NOT_FOUND - no exchange '{exchange}'");
    run.has_said(|said| said.contains(&by_the_check) || said.contains(&by_the_consumer));
}

/// Waits until a log reaches a queue.
#[track_caller]
fn arrives_again(broker: &Broker, run: &Running, severity: &str) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let publish = broker.loghost(["publish", severity, "text", "--require-route"]).end();
        match publish.code() {
            Some(0) => return,
            Some(1) => assert!(Instant::now() < deadline, "{severity} leads nowhere for good: {run}"),
            _ => panic!("{publish}"),
        }
        // Nothing says when there is a way again: each attempt is a question.
        thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn ends(run: Running) {
    run.end_by(Signal::Terminate).exits(0);
}

fn an_exchange_is_deleted(broker: &Broker) {
    let (run, _folder) = run(broker, []);
    let exchange = broker.exchange("error");
    broker.outside().delete_exchange(&exchange);
    says_missing(&run, &exchange);
    broker.loghost(["publish", "error", "text", "--require-route"]).end().exits(0);
    counts(&run, "watchful", [1, 0]);
    // It is said once: the next time it is there.
    assert!(run.stderr_so_far().matches("was missing").count() <= 1, "said once: {run}");
    ends(run);
}

fn an_exchange_is_made_again(broker: &Broker) {
    let (run, _folder) = run(broker, []);
    let outside = broker.outside();
    for severity in ["error", "info"] {
        outside.delete_exchange(&broker.exchange(severity));
        outside.declare_exchange(&broker.exchange(severity), ExchangeKind::Topic);
        arrives_again(broker, &run, severity);
    }
    counts(&run, "watchful", [1, 0]);
    ends(run);
}

/// It cannot be repaired without deleting somebody else's exchange; it is reported once.
fn an_exchange_is_made_otherwise(broker: &Broker) {
    let (run, _folder) = run(broker, []);
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    outside.delete_exchange(&exchange);
    outside.declare_exchange(&exchange, ExchangeKind::Direct);
    run.says("[watchful] logs may not arrive: cannot declare the exchange");
    outside.delete_exchange(&exchange);
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    arrives_again(broker, &run, "error");
    assert_eq!(run.stderr_so_far().matches("logs may not arrive").count(), 1, "{run}");
    ends(run);
}

fn a_binding_is_removed(broker: &Broker) {
    let (run, _folder) = run(broker, []);
    let outside = broker.outside();
    outside.unbind(&broker.queue("watchful"), &broker.exchange("error"), "#");
    broker.loghost(["publish", "info", "text", "--require-route"]).end().exits(0);
    arrives_again(broker, &run, "error");
    counts(&run, "watchful", [1, 0]);
    ends(run);
}

/// The queue of a look is bound as others are.
fn a_look_is_mended_as_well(broker: &Broker) {
    let (run, _folder) = run(broker, ["--ephemeral"]);
    let exchange = broker.exchange("error");
    broker.outside().delete_exchange(&exchange);
    arrives_again(broker, &run, "error");
    counts(&run, "watchful", [1, 0]);
    ends(run);
}

/// Repaired before a dead letter needs it, so that the consumer need not open its queue again.
fn where_dead_letters_go(broker: &Broker) {
    let (run, _folder) = run(broker, []);
    let (outside, queue) = (broker.outside(), broker.dead_queue("watchful"));
    let exchange = format!("{}.dead", broker.prefix());
    let bad = || drop(broker.loghost(["publish", "error", "bad", "--require-route"]).end().exits(0));

    outside.delete_exchange(&exchange);
    says_missing(&run, &exchange);
    bad();
    counts(&run, "watchful", [0, 1]);

    assert_eq!(outside.delete(&queue), 1);
    run.says(&format!("[watchful] the queue `{queue}` was missing: declared and bound again"));
    bad();
    counts(&run, "watchful", [0, 2]);

    outside.unbind(&queue, &exchange, "watchful");
    outside.wait_until_routed(&exchange, "watchful");
    bad();
    counts(&run, "watchful", [0, 3]);

    assert!(!run.stderr_so_far().contains("opening its queue again"), "{run}");
    ends(run);
    let rejected = list(broker, "watchful", &[]);
    assert_eq!(
        rejected.iter().filter(|dead_letter| dead_letter["reason"] == "no").count(),
        2,
        "{rejected:?}"
    );
}
