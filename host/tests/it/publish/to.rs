//! `loghost publish --to`: exchanges of others, by a template of routing keys.

use std::fs;

use lapin::ExchangeKind;
use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Signal, loghost};
use crate::support::metrics::{counts, last_of};
use crate::support::test;
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![test("publish_to::refuses_what_is_no_key", refuses_what_is_no_key)];
    trials.extend(on(Kind::QUEUES, "publish_to::what_is_published_is_bound", what_is_published_is_bound));
    trials.extend(on(
        Kind::QUEUES,
        "publish_to::says_what_becomes_of_each_log",
        says_what_becomes_of_each_log,
    ));
    trials.extend(on(Kind::QUEUES, "publish_to::an_exchange_has_to_be_there", an_exchange_has_to_be_there));
    trials.extend(on(
        [Kind::Embedded, Kind::RabbitMq4, Kind::Stream],
        "publish_to::no_log_is_taken_for_another",
        no_log_is_taken_for_another,
    ));
    trials
}

/// The name of an exchange of somebody else's.
fn exchange(broker: &Broker) -> String {
    format!("{}-app", broker.prefix())
}

fn publish(broker: &Broker, key: &str) -> Loghost {
    let publish = broker.loghost(["publish", "error", "disk full", "--source", "db-1"]);
    publish.args(["--to", &exchange(broker), "--key", key])
}

/// By what its key says, and by what the message says.
fn what_is_published_is_bound(broker: &Broker) {
    let (outside, exchange) = (broker.outside(), exchange(broker));
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let folder = tempfile::tempdir().expect("a folder");
    for rule in [format!("{exchange}/*.error=error"), exchange.clone()] {
        let state = folder.path().join(rule.len().to_string());
        let run = broker.loghost(["run", "--every", "20ms", "--format", "json", "--bind", &rule, "--state"]);
        let host = run.unless_ephemeral(&[]).arg(state).arg(tracked("plugins/error.wasm")).start();
        host.says("consuming from");
        publish(broker, "{source}.{severity}").end().exits(0).prints("total 1");
        let info = broker.loghost(["publish", "info", "well", "--source", "db-1", "--to", &exchange]);
        info.args(["--key", "{source}.{severity}"]).end().exits(0);
        publish(broker, "{source}.{severity}").end().exits(0);
        counts(&host, "error", [2, 0]);
        let output = host.end_by(Signal::Terminate).exits(0);
        // They have ids, by which each is counted once.
        assert_eq!(last_of(&output.stdout, "error")["without_id"], 0, "{output}");
        outside.delete(&broker.queue("error"));
    }
}

/// The first of each severity and source has the number 1: read as of one severity, and of one source or none as well, they are
/// still four logs.
fn no_log_is_taken_for_another(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = folder.path().join("scenario.txt");
    let logs =
        ["info @a", "error @a", "info @b", "error @b"].map(|log| format!(r#"{log}: {{"logger":"shop"}}"#));
    fs::write(&scenario, logs.join("\n") + "\n").expect("a file in a folder of ours");
    for (format, key) in [("text", "{source}"), ("json", "{source}"), ("text", "")] {
        let exchange = format!("{}-{format}-{}", exchange(broker), key.len());
        broker.outside().declare_exchange(&exchange, ExchangeKind::Topic);
        let rule = format!("{exchange}=error");
        let run = ["run", "--every", "20ms", "--format", "json", "--bind", &rule, "--decode", format];
        let host = broker.loghost(run).arg(tracked("plugins/error.wasm")).start();
        host.says("consuming from");
        let publish =
            loghost(["publish", "--broker", broker.url(), "--to", &exchange, "--key", key, "--file"]);
        publish.arg(&scenario).end().exits(0);
        counts(&host, "error", [4, 0]);
        let output = host.end_by(Signal::Terminate).exits(0);
        assert_eq!(last_of(&output.stdout, "error")["repeated"], 0, "{format}, `{key}`: {output}");
    }
}

fn says_what_becomes_of_each_log(broker: &Broker) {
    let (outside, exchange) = (broker.outside(), exchange(broker));
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    publish(broker, "{severity}").arg("--require-route").end().exits(1).says("no queue");
    let queue = format!("{}-all", broker.prefix());
    outside.listen(&queue, &exchange);
    publish(broker, "x.{severity}").arg("--require-route").end().exits(0);
    let message = outside.take(&queue);
    assert_eq!((message.routing_key.as_str(), message.exchange.as_str()), ("x.error", &*exchange));
    // A log whose key is too long is given up, and the others are published.
    let long = "s".repeat(250);
    let lines =
        ["publish", "--stdin", "--severity", "error", "--to", &exchange, "--key", "{source}.{severity}"];
    let output = broker.loghost(lines).args(["--source", &long]).stdin("a\nb\n").end();
    output.exits(65).says("its routing key would have 256 bytes");
}

fn an_exchange_has_to_be_there(broker: &Broker) {
    let name = exchange(broker);
    let missing = format!("there is no exchange `{name}`");
    publish(broker, "{source}").end().exits(78).says(&missing);
    // Also one that goes while it is published to.
    let (outside, queue) = (broker.outside(), format!("{name}-all"));
    outside.declare_exchange(&name, ExchangeKind::Topic);
    outside.listen(&queue, &name);
    let mut lines = broker.loghost(["publish", "--stdin", "--severity", "error", "--to", &name]).start();
    lines.write_line("before");
    outside.wait_for_depth(&queue, 1);
    outside.delete_exchange(&name);
    lines.write_line("behind");
    lines.end().exits(78).says(&missing).prints("total 1");
}

fn refuses_what_is_no_key() {
    let refused = |arguments: &[&str], words: &str| {
        loghost(["publish", "error", "x"]).args(arguments).end().exits(2).says(words);
    };
    refused(&["--to", "x", "--key", "{level}"], "`{level}` is nothing that a log has");
    refused(&["--to", "x", "--key", "{source"], "without its other one");
    refused(&["--to", ""], "expected the name of an exchange");
    refused(&["--to", "logs.error"], "the exchange of severity error itself");
    refused(&["--key", "x"], "--to");
    refused(&["--to", "x", "--queue-type", "stream"], "--queue-type");
}
