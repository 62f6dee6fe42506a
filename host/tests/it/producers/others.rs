//! The producers of the page that no test runs: what was captured of them, or is written here as they write it, through an exchange
//! such as theirs.

use std::array;
use std::collections::BTreeSet;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use loghost_core::domain::Severity;
use serde_json::Value;

use super::captured::{Captured as Message, bytes, captured, properties};
use super::document::others;
use super::{have_counted, start};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::metrics::{last_of, tally};

/// What a producer publishes.
enum Messages {
    /// Those that were captured under these names.
    Captured(&'static [&'static str]),
    /// A routing key, a body, and the log's severity, source and message.
    Written(&'static str, &'static str, [&'static str; 3]),
}

use Messages::{Captured, Written};

const NLOG: &str =
    r#"{"@source":"nlog://web-1","@fields":{"level":"Fatal","logger":"Shop"},"@message":"disk full"}"#;

const OTHERS: [(&str, Messages); 9] = [
    ("Python: graypy", Captured(&["graypy-GELF"])),
    ("Java: Logback, Log4j 2 with Spring AMQP", Captured(&["spring-amqp/logback"])),
    (".NET: Serilog", Captured(&["serilog-sinks-rabbitmq"])),
    (".NET: NLog", Written("Fatal", NLOG, ["critical", "Shop", "disk full"])),
    ("rsyslog: `omrabbitmq`", Captured(&["rsyslog-omrabbitmq"])),
    ("Logstash", Captured(&["logstash-output-rabbitmq"])),
    (
        "Fluentd",
        Captured(&[
            "fluentd/fluent-plugin-rabbitmq",
            "fluentd/fluent-plugin-amqp2",
            "fluentd/fluent-plugin-amqp",
        ]),
    ),
    ("Vector", Captured(&["vector-amqp"])),
    ("OpenTelemetry Collector: exporter `rabbitmq`", Captured(&["opentelemetry-rabbitmqexporter"])),
];

pub(crate) fn trials() -> Vec<Trial> {
    on([Kind::Embedded, Kind::RabbitMq4], "producers::others_are_read", others_are_read)
}

fn others_are_read(broker: &Broker) {
    let rows = others();
    let on_page: BTreeSet<&str> = rows.iter().map(|row| &*row.producer).collect();
    assert_eq!(on_page, OTHERS.iter().map(|(producer, _)| *producer).collect());
    let outside = broker.outside();
    let rules: Vec<String> = rows.iter().flat_map(|row| ["--bind".to_owned(), row.rule.clone()]).collect();
    let transient = rows.iter().filter(|row| !row.rule.contains(";type=")).map(|row| exchange_of(&row.rule));
    for exchange in transient.filter(|exchange| !exchange.starts_with("amq.")) {
        outside.declare_exchange(exchange, ExchangeKind::Topic);
    }
    let run = start(broker, &[vec!["plugins".to_owned()], rules.clone()].concat());
    let tail = broker.loghost(["tail", "--format", "json"]).args(&rules).start();
    tail.says("looking at what comes through");
    let captured = captured();
    let (mut total, mut undetermined, mut seen) = ([0; 4], 0, 0);
    for (producer, messages) in &OTHERS {
        let row = rows.iter().find(|row| row.producer == *producer).expect("it was compared");
        let exchange = exchange_of(&row.rule);
        let mut logs: Vec<[Option<&str>; 3]> = Vec::new();
        match messages {
            Written(key, body, log) => {
                outside.publish(exchange, key, body.as_bytes(), BasicProperties::default());
                logs.push(log.map(Some));
            }
            Captured(names) => {
                let theirs = |name: &Value| name.as_str().is_some_and(|name| names.contains(&name));
                for Message { message, logs: read, .. } in
                    captured.iter().filter(|one| theirs(&one.message["producer"]))
                {
                    let key = message["routing_key"].as_str().unwrap_or_default();
                    outside.publish(exchange, key, &bytes(&message["body"]), properties(message));
                    let read = read.as_array().into_iter().flatten();
                    logs.extend(
                        read.map(|log| ["severity", "source", "message"].map(|name| log[name].as_str())),
                    );
                }
            }
        }
        let of = |one: Severity| logs.iter().filter(|log| log[0].unwrap_or("info") == one.as_str()).count();
        let counts = Severity::ALL.map(|one| of(one) as u64);
        undetermined += logs.iter().filter(|log| log[0].is_none()).count() as u64;
        total = array::from_fn(|n| total[n] + counts[n]);
        let counted = |so_far: &str| last_of(so_far, "all")["counts"].clone();
        let number = |counts: &Value| {
            Severity::ALL.iter().filter_map(|one| counts[one.as_str()].as_u64()).sum::<u64>()
        };
        run.has_printed(|so_far| number(&counted(so_far)) >= total.iter().sum());
        assert_eq!(counted(&run.stdout_so_far()), tally(total), "{producer}: {counts:?} are its own");

        tail.has_printed(|so_far| so_far.lines().count() >= seen + logs.len());
        let shown: Vec<Value> = tail
            .stdout_so_far()
            .lines()
            .skip(seen)
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let shown = shown
            .iter()
            .map(|log| ["severity", "source", "message"].map(|name| log[name].as_str().unwrap_or_default()));
        let expected = logs.iter().map(|[severity, source, message]| {
            [severity.unwrap_or("info"), source.unwrap_or_default(), message.unwrap_or_default()]
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{producer}");
        seen += logs.len();
    }
    tail.end_by(Signal::Terminate).exits(0);
    have_counted(&run.end_by(Signal::Terminate).exits(0), total, undetermined);
}

fn exchange_of(rule: &str) -> &str {
    rule.split(['/', ';', '=']).next().unwrap_or_default()
}
