//! `loghost run --bind`: exchanges that go by themselves, because nothing is bound to them any more or the broker was restarted.
//! Whoever publishes to them declares them again.

use lapin::BasicProperties;
use libtest_mimic::Trial;

use crate::support::broker::{Broker, on_nodes};
use crate::support::cli::{Running, Signal};
use crate::support::metrics::counts;
use crate::support::outside::Outside;
use crate::support::rabbitmq::{Node, Setup, Version};
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    on_nodes("bound_again::is_what_went_by_itself", Setup::default(), is_what_went_by_itself)
}

/// Waits until what it has said of an exchange was said so often.
#[track_caller]
fn has_said(run: &Running, exchange: &str, what: &str, times: usize) {
    let text = format!("the exchange `{exchange}` is {what}");
    run.has_said(|said| said.matches(&text).count() == times);
}

/// Their messages go with the broker as well, so that none comes twice.
#[track_caller]
fn publish(outside: &Outside, exchange: &str) {
    outside.publish(exchange, "shop", b"disk full", BasicProperties::default().with_delivery_mode(1));
}

fn is_what_went_by_itself(node: &mut Node, broker: &Broker) {
    let [transient, passing] = ["transient", "passing"].map(|name| format!("{}-{name}", broker.prefix()));
    let outside = broker.outside();
    outside.declare_transient(&transient);
    outside.declare_passing_exchange(&passing);
    let run = ["run", "--format", "json", "--every", "20ms", "--check-topology-every", "1s"];
    let rules = [&transient, &passing].map(|exchange| format!("{exchange}/shop=error"));
    let run = broker.loghost(run).args(["--bind", &rules[0], "--bind", &rules[1]]);
    let run = run.arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    publish(&outside, &transient);
    publish(&outside, &passing);
    counts(&run, "error", [2, 0]);

    outside.unbind(&broker.queue("error"), &passing, "shop");
    has_said(&run, &passing, "not there", 1);
    outside.declare_passing_exchange(&passing);
    has_said(&run, &passing, "there: bound", 1);
    publish(&outside, &passing);
    counts(&run, "error", [3, 0]);

    node.store_topology();
    node.kill();
    node.restart();
    let outside = broker.outside();
    // Version 4 keeps them, with their bindings.
    if broker.version() == Some(Version::V3) {
        has_said(&run, &passing, "not there", 2);
        has_said(&run, &transient, "not there", 1);
        outside.declare_transient(&transient);
        outside.declare_passing_exchange(&passing);
        has_said(&run, &passing, "there: bound", 2);
        has_said(&run, &transient, "there: bound", 1);
    }
    publish(&outside, &transient);
    publish(&outside, &passing);
    counts(&run, "error", [5, 0]);
    run.end_by(Signal::Terminate).exits(0);
}
