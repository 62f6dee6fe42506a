//! The producers of the page that no test runs: what was captured of them, or is written here as they write it, through an exchange
//! such as theirs.

use std::collections::{BTreeMap, BTreeSet};

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use loghost_core::domain::Severity;

use super::captured::{bytes, captured, properties};
use super::document::others;
use super::have_counted;
use crate::support::broker::{Broker, Kind, on};
use crate::support::tracked;

/// What a producer publishes.
enum Messages {
    /// Those that were captured under these names.
    Captured(&'static [&'static str]),
    /// A routing key, a body, and the severity of the log.
    Written(&'static str, &'static str, &'static str),
}

use Messages::{Captured, Written};

const NLOG: &str =
    r#"{"@source":"nlog://web-1","@fields":{"level":"Fatal","logger":"Shop"},"@message":"disk full"}"#;

const OTHERS: [(&str, Messages); 9] = [
    ("Python: graypy", Captured(&["graypy-GELF"])),
    ("Java: Logback, Log4j 2 with Spring AMQP", Captured(&["spring-amqp/logback"])),
    (".NET: Serilog", Captured(&["serilog-sinks-rabbitmq"])),
    (".NET: NLog", Written("Fatal", NLOG, "critical")),
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
    let run = || {
        let run = broker.loghost(["run"]).arg(tracked("plugins"));
        rows.iter().fold(run, |run, row| run.args(["--bind", &row.rule]))
    };
    let transient = rows.iter().filter(|row| !row.rule.contains(";type=")).map(|row| exchange_of(&row.rule));
    for exchange in transient.filter(|exchange| !exchange.starts_with("amq.")) {
        outside.declare_exchange(exchange, ExchangeKind::Topic);
    }
    run().arg("--declare-only").end().exits(0);
    let captured = captured();
    let mut expected: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for (producer, messages) in &OTHERS {
        let row = rows.iter().find(|row| row.producer == *producer).expect("it was compared");
        let exchange = exchange_of(&row.rule);
        match messages {
            Written(key, body, severity) => {
                outside.publish(exchange, key, body.as_bytes(), BasicProperties::default());
                *expected.entry(Some((*severity).to_owned())).or_default() += 1;
            }
            Captured(names) => {
                let theirs = |name: Option<&str>| name.is_some_and(|name| names.contains(&name));
                for message in
                    captured.iter().filter(|captured| theirs(captured.message["producer"].as_str()))
                {
                    let key = message.message["routing_key"].as_str().unwrap_or_default();
                    outside.publish(
                        exchange,
                        key,
                        &bytes(&message.message["body"]),
                        properties(&message.message),
                    );
                    for severity in &message.severities {
                        *expected.entry(severity.clone()).or_default() += 1;
                    }
                }
            }
        }
    }
    let output = run().args(["--format", "json", "--until-idle", "500ms"]).end().exits(0);
    let undetermined = expected.get(&None).copied().unwrap_or_default();
    let [debug, info, error, critical] = Severity::ALL
        .map(|severity| expected.get(&Some(severity.as_str().to_owned())).copied().unwrap_or_default());
    have_counted(&output, [debug, info + undetermined, error, critical], undetermined);
}

fn exchange_of(rule: &str) -> &str {
    rule.split(['/', ';', '=']).next().unwrap_or_default()
}
