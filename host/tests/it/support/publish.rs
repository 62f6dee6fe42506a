//! Logs that tests publish, and whether they reach a queue.

use lapin::BasicProperties;

use super::broker::Broker;

pub(crate) fn logs(n: usize) -> Vec<String> {
    (1..=n).map(|n| format!("log {n}")).collect()
}

/// Publishes these as logs of severity error, with ids.
#[track_caller]
pub(crate) fn publish(broker: &Broker, logs: &[String]) {
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error", "--require-route"]);
    publish.stdin(logs.join("\n")).end().exits(0);
}

/// Publishes logs with ids of producer `p`.
#[track_caller]
pub(crate) fn publish_numbers(broker: &Broker, severity: &str, source: &str, numbers: &[u64]) {
    let outside = broker.outside();
    for n in numbers {
        let id = BasicProperties::default().with_message_id(format!("loghost:p/{n}").into());
        outside.publish(&broker.exchange(severity), source, b"disk full", id);
    }
}

/// Publishes a log, which must reach a queue.
#[track_caller]
pub(crate) fn arrives(broker: &Broker, severity: &str, source: &str) {
    broker.loghost(["publish", severity, "text", "--source", source, "--require-route"]).end().exits(0);
}

/// Publishes a log, which must reach none.
#[track_caller]
pub(crate) fn is_unwanted(broker: &Broker, severity: &str, source: &str) {
    broker.loghost(["publish", severity, "text", "--source", source, "--require-route"]).end().exits(1);
}
