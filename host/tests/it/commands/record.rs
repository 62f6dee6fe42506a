//! `loghost record`: what comes becomes a scenario.

use std::fs;

use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Output, Running, Signal, loghost};
use crate::support::publish::is_unwanted;
use crate::support::{repository, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(Kind::QUEUES, "record::is_verified_and_blessed", is_verified_and_blessed);
    trials.extend(on(
        Kind::QUEUES,
        "record::of_a_bound_exchange_is_verified_and_blessed",
        of_a_bound_exchange_is_verified_and_blessed,
    ));
    trials.extend(on_each("record::is_what_was_published", is_what_was_published));
    trials.extend(on_each("record::what_cannot_be_written_is_said", what_cannot_be_written_is_said));
    trials
}

/// Starts it, and waits until it would see what is published.
#[track_caller]
fn record<const N: usize>(broker: &Broker, arguments: [&str; N]) -> Running {
    let record = broker.loghost(["record"]).args(arguments).start();
    record.says("looking at what comes through");
    record
}

/// The lines of a recording that are no comment.
fn lines(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter(|line| !line.starts_with('#')).collect()
}

fn is_verified_and_blessed(broker: &Broker) {
    let record = record(broker, ["--max-logs", "327"]);
    broker.loghost(["publish", "--file"]).arg(tracked("scenarios/2.txt")).end().exits(0);
    let output = record.end().exits(0).says("recorded 327  left out 0");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.txt");
    fs::write(&file, &output.stdout).expect("a file of ours");
    loghost(["verify"]).arg(&file).end().exits(1);
    loghost(["verify", "--bless"]).arg(&file).end().exits(0);
    loghost(["verify"]).arg(&file).end().exits(0);
    // The same comes of them as of those that were published; times are not recorded.
    let metric = |text: &str| {
        let error = text.split("\nexpect error\n").nth(1).expect("an expectation");
        error.lines().take_while(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n")
    };
    let published = fs::read_to_string(repository().join("scenarios/2.txt")).expect("a scenario");
    assert_eq!(metric(&fs::read_to_string(&file).expect("it is there")), metric(&published));
    is_unwanted(broker, "error", "db.1");
}

/// What `verify` cannot be told with `--bind`.
fn of_a_bound_exchange_is_verified_and_blessed(broker: &Broker) {
    let (exchange, outside) = (format!("{}-app", broker.prefix()), broker.outside());
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let record = record(broker, ["--max-logs", "3", "--bind", &exchange, "--expect", "all"]);
    let body = r#"[{"level":"fatal","msg":"disk full","logger":"shop.cart","user":{"id":7}},{"level":"warn","msg":"slow"}]"#;
    for body in [body, "ERROR: no connection"] {
        outside.publish(&exchange, "shop", body.as_bytes(), BasicProperties::default());
    }
    let output = record.end().exits(0).says("recorded 3  left out 0");
    let expected = [
        "critical @shop.cart level=fatal user.id=7: disk full",
        "info @shop level=warn: slow",
        "error @shop: no connection",
    ];
    assert_eq!(lines(&output)[1..4], expected, "{output}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("app.txt");
    fs::write(&file, &output.stdout).expect("a file of ours");
    loghost(["verify"]).arg(&file).end().exits(1);
    loghost(["verify", "--bless"]).arg(&file).end().exits(0);
    loghost(["verify"]).arg(&file).end().exits(0);
    let blessed = fs::read_to_string(&file).expect("it is there");
    let metric: Vec<&str> = blessed.lines().filter_map(|line| line.strip_prefix("| ")).collect();
    let expected = ["debug     0", "info      1", "error     1", "critical  1", "total     3"];
    assert_eq!(metric, expected, "{blessed}");
}

fn is_what_was_published(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("logs.txt");
    let logs = "\
error x3 @\"a b: c\" empty=\"\" k=v said=\"say \\\"\\\\\\\" 1:2\":  two blanks
|
| | and more
info: plain
critical:
error: \x1b[31mred\x1b[0m
info x2 @web: plain
";
    fs::write(&file, format!("{logs}debug: unseen\n")).expect("a file of ours");
    let arguments =
        ["--severity", "error", "--severity", "info", "--severity", "critical", "--expect", "./a b.wasm"];
    let record = record(broker, arguments);
    let publish = broker.loghost(["publish", "--file"]).arg(&file).end();
    publish.exits(0);
    broker.loghost(["publish", "critical", "the last"]).end().exits(0);
    // It is written when it is known that it is not repeated.
    record.prints("info x2 @web: plain");
    let output = record.end_by(Signal::Interrupt).exits(0);
    let mut expected: Vec<&str> = logs.lines().collect();
    expected.extend(["critical: the last", "", "expect \"./a b.wasm\""]);
    let recorded: Vec<&str> = lines(&output).into_iter().skip(1).collect();
    assert_eq!(recorded, expected, "{output}");
}

fn what_cannot_be_written_is_said(broker: &Broker) {
    let record = record(broker, ["--max-logs", "5", "--expect", "error", "--expect", "error"]);
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    let with = |key: &str, value: &str| {
        let mut headers = FieldTable::default();
        headers.insert(key.into(), AMQPValue::LongString(value.into()));
        BasicProperties::default().with_headers(headers)
    };
    outside.publish(&exchange, "db", b"good", with("k", "v"));
    outside.publish(&exchange, "db", b"bad", with("k", "a\nb"));
    outside.publish(&exchange, "db", b"bad", with("a b", "c"));
    outside.publish(&exchange, "d\nb", b"bad", BasicProperties::default());
    outside.publish(&exchange, "db", b"good\x1b", with("@k", "v"));
    let output = record.end().exits(65).says("recorded 1  left out 4");
    let output = output.says("the value of its attribute `k` has a line end in it");
    assert_eq!(output.stderr.matches("a log is left out").count(), 1, "{output}");
    assert_eq!(lines(&output), ["", "error @db k=v: good", "", "expect error"], "{output}");

    let short = broker.loghost(["record", "--for", "10ms"]).end().exits(0);
    assert!(
        short.stdout.ends_with("\nexpect all\nexpect debug-info\nexpect error\nexpect critical\n"),
        "{short}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("empty.txt");
    fs::write(&file, &short.stdout).expect("a file of ours");
    loghost(["verify", "--bless"]).arg(&file).end().exits(0);
}
