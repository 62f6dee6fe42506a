//! `loghost run --bind 'EXCHANGE;decode=FORMAT' --decode FORMAT`: how messages are read, by the rule or for all of them.

use std::collections::BTreeSet;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on};
use crate::support::dead_letters::{list, reject};
use crate::support::guest::guest;
use crate::support::metrics::last_of;

pub(crate) fn trials() -> Vec<Trial> {
    let kinds = [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4, Kind::Quorum];
    on(kinds, "bound_formats::are_of_a_rule_or_of_all", are_of_a_rule_or_of_all)
}

const TEXT: &str = "2026-11-25 23:06:40,123 ERROR disk full";
const SYSLOG: &str = "<26>1 2026-11-25T23:06:40Z web-1 cron 42 - - disk full";
const GELF: &str = r#"{"version":"1.1","host":"web-2","short_message":"disk full","level":7}"#;
const JSON: &str = r#"{"level":"fatal","msg":"disk full","logger":"shop.cart"}"#;
const LOGFMT: &str = r#"level=debug msg="disk full""#;
const OTLP: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":17,"body":{"stringValue":"disk full"}}]}]}]}"#;

/// By the format of the rule: a message and the severity that is found in it, and one in which none is found, because it would be
/// only in another format.
const MESSAGES: [(&str, &str, &str, &str); 8] = [
    ("text", TEXT, "error", JSON),
    ("syslog", SYSLOG, "critical", JSON),
    ("gelf", GELF, "debug", LOGFMT),
    ("json", JSON, "critical", LOGFMT),
    ("otlp", OTLP, "error", LOGFMT),
    ("auto", JSON, "critical", "disk full"),
    // As it is.
    ("none", JSON, "info", LOGFMT),
    // No rule names it: what `--decode` says holds.
    ("general", LOGFMT, "debug", JSON),
];

fn text<'a>(dead_letter: &'a Value, key: &str) -> &'a str {
    dead_letter[key].as_str().unwrap_or_default()
}

/// What none is found in is of the severity that is the default.
fn are_of_a_rule_or_of_all(broker: &Broker) {
    let (exchange, outside) = (format!("{}-app", broker.prefix()), broker.outside());
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("picky").severities(&["debug", "info", "error", "critical"]);
    let plugin = plugin.on("", reject("to be looked at")).write(folder.path());
    let run = || {
        let run = broker.loghost(["run", "--format", "json", "--decode", "logfmt"]);
        let run = MESSAGES.iter().fold(run, |run, (key, ..)| match *key {
            "general" => run.args(["--bind", &format!("{exchange}/general")]),
            format => run.args(["--bind", &format!("{exchange}/{format};decode={format}")]),
        });
        run.arg(&plugin)
    };
    run().arg("--declare-only").end().exits(0);
    for (key, message, _, other) in MESSAGES {
        for body in [message, other] {
            outside.publish(&exchange, key, body.as_bytes(), BasicProperties::default());
        }
    }
    let output = run().args(["--max-logs", "16"]).end().exits(0);
    // Those of `none` as well.
    assert_eq!(last_of(&output.stdout, "picky")["undetermined"], json!(9), "{output}");
    let listed = list(broker, "picky", &[]);
    let what = |dead_letter| ["routing_key", "message", "severity"].map(|key| text(dead_letter, key));
    let found: BTreeSet<_> = listed.iter().map(what).collect();
    let expected: BTreeSet<_> = MESSAGES
        .iter()
        .flat_map(|&(key, message, severity, other)| [[key, message, severity], [key, other, "info"]])
        .collect();
    assert_eq!(found, expected, "{output}");
}
