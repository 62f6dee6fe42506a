//! Messages in streams that RabbitMQ cannot deliver through AMQP 0-9-1: the stream protocol brings them.

use libtest_mimic::Trial;
use serde_json::json;

use crate::support::amqp10::{Undeliverable, publish_undeliverable, publish_undeliverable_as};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::metrics::{counts, last_of, tally};
use crate::support::rabbitmq::{self, Setup, Version};
use crate::support::{Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on([Kind::Stream], "undeliverable_streams::are_read", are_read);
    trials.extend(on([Kind::RabbitMq4], "undeliverable_streams::are_said", are_said));
    let name = "stream::undeliverable_streams::wait_for_the_stream_protocol";
    trials.push(needing(name.to_owned(), wait_for_the_stream_protocol));
    trials
}

fn publish_lines(broker: &Broker, severity: &str, lines: usize) {
    let publish = broker.loghost(["publish", "--stdin", "--severity", severity]);
    publish.stdin("a\n".repeat(lines)).end().exits(0);
}

/// Through the stream protocol, whatever makes them undeliverable otherwise.
fn are_read(broker: &Broker) {
    let plugin = tracked("plugins/error.wasm");
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    for why in [
        Undeliverable::Uuid,
        Undeliverable::Char,
        Undeliverable::LongContentType,
        Undeliverable::UuidAnnotation,
        Undeliverable::LongId,
    ] {
        publish_undeliverable_as(why, broker, &broker.exchange("error"), "one");
    }
    let run = broker.loghost(["run", "--format", "json", "--from", "first", "--until-idle", "1s"]);
    let output = run.arg(&plugin).end().exits(0);
    let metric = last_of(&output.stdout, "error");
    assert_eq!((&metric["counts"], &metric["undeliverable"]), (&tally([0, 0, 5, 0]), &json!(0)), "{output}");
}

/// Where it is not spoken, the stream and the remedy are said; other consumers are not concerned. With it, all are counted, in
/// the same run.
fn wait_for_the_stream_protocol() -> Result<(), Skip> {
    let address = rabbitmq::free_address();
    let config = format!("stream.listeners.tcp.1 = {address}:5552\nstream.advertised_host = {address}");
    let node = rabbitmq::private(
        Version::V4,
        Setup { config: &config, address: Some(address), ..Setup::default() },
    )?;
    node.rabbitmqctl(&["eval", "ok = application:stop(rabbitmq_stream)."]);
    let broker = Broker::on(Kind::RabbitMq4, &node);
    let plugins = ["error", "debug-info"].map(|name| tracked(&format!("plugins/{name}.wasm")));
    let run = || broker.loghost(["run", "--queue-type", "stream"]).args(&plugins);
    run().arg("--declare-only").end().exits(0);
    publish_lines(&broker, "error", 10);
    publish_undeliverable(&broker, "error", "one");
    publish_undeliverable(&broker, "error", "two");
    publish_lines(&broker, "error", 60);
    let state = tempfile::tempdir().expect("a folder");
    let from = ["--format", "json", "--every", "20ms", "--from", "first", "--state"];
    let host = run().args(from).arg(state.path()).start();
    let stream = broker.exchange("error");
    let said = host.says("when it is to deliver what is in the stream");
    assert!(said.contains(&stream) && said.contains("`rabbitmq-plugins enable rabbitmq_stream`"), "{said}");
    publish_lines(&broker, "info", 20);
    host.has_printed(|so_far| last_of(so_far, "debug-info")["counts"] == tally([0, 20, 0, 0]));
    node.rabbitmqctl(&["eval", "ok = application:start(rabbitmq_stream)."]);
    counts(&host, "error", [72, 0]);
    let output = host.end_by(Signal::Terminate).exits(0);
    let metric = last_of(&output.stdout, "error");
    assert_eq!((&metric["undeliverable"], &metric["repeated"]), (&json!(0), &json!(0)), "{output}");
    let has_lost =
        |consumer: &str| output.stderr.contains(&format!("consuming {consumer}: lost the connection"));
    assert!(has_lost("error") && !has_lost("debug-info"), "{output}");
    Ok(())
}

/// Where reading would begin behind them, the broker does not tell; who reads the past does not wait.
fn are_said(broker: &Broker) {
    let plugin = tracked("plugins/error.wasm");
    let run = || broker.loghost(["run", "--queue-type", "stream"]).arg(&plugin);
    run().arg("--declare-only").end().exits(0);
    publish_undeliverable(broker, "error", "one");
    let host = run().start();
    let said = host.says("when it is to deliver the last messages of the stream");
    assert!(said.contains(&broker.exchange("error")), "{said}");
    host.end_by(Signal::Kill);
    // At the end, where it is asked how far the stream goes, and between others.
    let record = || broker.loghost(["record", "--from", "first", "--severity", "error"]).end().exits(69);
    let replay = || broker.loghost(["replay", "--from", "first"]).arg(&plugin).end().exits(69);
    let said = "most likely it cannot deliver one of its messages through AMQP 0-9-1; through the stream protocol it is read";
    record().says(said);
    replay().says(said);
    broker.outside().delete(&broker.exchange("error"));
    run().arg("--declare-only").end().exits(0);
    publish_lines(broker, "error", 40);
    publish_undeliverable(broker, "error", "two");
    publish_lines(broker, "error", 10);
    record().says(said);
    replay().says(said);
}
