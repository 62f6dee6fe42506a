//! `loghost publish --queue-type stream`: the streams that it declares, and what they keep.

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::loghost;
use crate::support::test;

/// The brokers that have streams.
pub(crate) const WITH_STREAMS: [Kind; 2] = [Kind::RabbitMq, Kind::RabbitMq4];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![test("publish_streams::options_have_to_fit", options_have_to_fit)];
    trials.extend(on(WITH_STREAMS, "publish_streams::keep_what_is_published", keep_what_is_published));
    trials.extend(on(WITH_STREAMS, "publish_streams::of_a_scenario_are_all", of_a_scenario_are_all));
    trials.extend(on(WITH_STREAMS, "publish_streams::queues_are_not_declared", queues_are_not_declared));
    trials.extend(on([Kind::Embedded], "publish_streams::are_not_everywhere", are_not_everywhere));
    trials
}

fn options_have_to_fit() {
    let nowhere = ["--broker", "amqp://127.0.0.1:1"];
    let publish = ["publish", "error", "text"];
    for option in [["--retain-for", "7d"], ["--retain-bytes", "20GB"], ["--segment-bytes", "50MB"]] {
        let needed = format!("{} is for streams, and is given with --queue-type stream", option[0]);
        loghost(publish).args(option).args(nowhere).end().exits(2).says(&needed);
        let classic = ["--queue-type", "classic"];
        loghost(publish).args(option).args(classic).args(nowhere).end().exits(2).says(&needed);
        loghost(["run", "plugins"]).args(option).args(nowhere).end().exits(2).says(&needed);
    }
    let stream = ["--queue-type", "stream"];
    for (option, expected) in [
        (["--retain-for", "7"], "such as 7d or 12h"),
        (["--retain-for", "10ms"], "at least a second"),
        (["--retain-for", "1000y"], "at most a hundred years"),
        (["--retain-bytes", "0"], "greater than zero"),
        (["--retain-bytes", "much"], "such as 20GB"),
        (["--segment-bytes", "4GB"], "at most"),
    ] {
        loghost(publish).args(stream).args(option).args(nowhere).end().exits(2).says(expected);
    }
    // A publisher reads nothing.
    loghost(publish).args(stream).args(["--from", "first"]).args(nowhere).end().exits(2).says("--from");
}

/// Also before any consumer is there, and each log once.
fn keep_what_is_published(broker: &Broker) {
    let outside = broker.outside();
    let publish = |text: &str, source: &str| {
        let publish = broker.loghost(["publish", "error", text, "--source", source, "--require-route"]);
        let retention = ["--retain-for", "7d", "--retain-bytes", "20GB", "--segment-bytes", "50MB"];
        let output = publish.args(["--queue-type", "stream"]).args(retention).end().exits(0);
        output.prints("total 1").does_not_say("warn");
    };
    publish("one", "db-1");
    publish("two", "db-2");
    let lines = broker.loghost(["publish", "--stdin", "--severity", "error", "--queue-type", "stream"]);
    lines.stdin("three\nfour\n").end().exits(0).prints("total 2").does_not_say("warn");

    let stream = broker.exchange("error");
    let read = outside.read_stream(&stream, 4);
    let bodies: Vec<_> = read.iter().map(|message| String::from_utf8_lossy(&message.data)).collect();
    assert_eq!(bodies, ["one", "two", "three", "four"]);
    assert!(read.iter().all(|message| message.exchange.as_str() == stream));
    let keys: Vec<_> = read.iter().map(|message| message.routing_key.as_str()).collect();
    assert_eq!(keys, ["db-1", "db-2", "", ""]);

    let arguments = broker.arguments(&stream).expect("it is declared");
    for (name, value) in [
        ("x-queue-type", "stream"),
        ("x-max-age", "604800s"),
        ("x-max-length-bytes", "20000000000"),
        ("x-stream-max-segment-size-bytes", "50000000"),
    ] {
        assert!(arguments.contains(name) && arguments.contains(value), "{name} {value}: {arguments}");
    }
    for other in ["debug", "info", "critical"] {
        assert_eq!(broker.arguments(&broker.exchange(other)), None, "{other}");
    }
}

fn of_a_scenario_are_all(broker: &Broker) {
    let scenario = crate::support::tracked("scenarios/1.txt");
    let publish = broker.loghost(["publish", "--require-route", "--queue-type", "stream", "--file"]);
    publish.arg(scenario).end().exits(0);
    for severity in ["debug", "info", "error", "critical"] {
        let arguments = broker.arguments(&broker.exchange(severity)).expect("it is declared");
        assert!(arguments.contains("stream") && !arguments.contains("x-max"), "{arguments}");
    }
}

/// Consumers declare their queues themselves.
fn queues_are_not_declared(broker: &Broker) {
    for other in ["classic", "quorum"] {
        let publish = broker.loghost(["publish", "error", "text", "--queue-type", other]).end().exits(0);
        publish.says("no queue wanted 1 of these logs");
        assert_eq!(broker.arguments(&broker.exchange("error")), None, "{other}");
    }
}

/// The embedded broker says who has them.
fn are_not_everywhere(broker: &Broker) {
    let publish = broker.loghost(["publish", "error", "text", "--queue-type", "stream"]).end().exits(78);
    let refused = format!("cannot declare the stream `{}`: NOT_IMPLEMENTED", broker.exchange("error"));
    publish.says(&refused).says("RabbitMQ has streams, from 3.9 on");
}
