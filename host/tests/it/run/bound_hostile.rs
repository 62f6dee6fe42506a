//! `loghost run --bind` where producers publish what no logger writes: each message is counted, and costs the others nothing.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::bind::exchange;
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::guest::guest;
use crate::support::metrics::last_of;

/// What the host may have of memory at most: an unoptimised one that reads all of this in a row, with two plugins.
const MOST_MEMORY: u64 = 1 << 30;

/// As many logs as one message may have.
const MOST_LOGS: u64 = 10_000;

pub(crate) fn trials() -> Vec<Trial> {
    let kinds = [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4, Kind::Quorum, Kind::Stream];
    on(kinds, "bind::what_no_logger_writes_is_counted", what_no_logger_writes_is_counted)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Bodies, and how many logs each is.
fn bodies() -> Vec<(Vec<u8>, u64)> {
    let bomb = gzip(&[br#"{"level":"error","short_message":""#, &b"a".repeat(64 << 20)[..], b"\"}"].concat());
    let nested_bomb = gzip(&gzip(&vec![b'['; 8 << 20]));
    let long_name = format!(r#"{{"level":"error","msg":"x","{}":1}}"#, "n".repeat(1 << 20));
    let many = format!("[{}]", vec!["{}"; 1_000_000].join(","));
    let lines = r#"{"level":"error"}"#.to_owned() + "\n";
    let texts = [
        "",
        "\0",
        "{",
        r#"{"level":NaN,"msg":"x"}"#,
        r#"{"level":1e999,"severity":-1,"priority":[],"msg":{}}"#,
        r#"{"level":true,"msg":null,"time":false}"#,
        r#"{"time":"+275760-09-13T00:00:00Z","msg":"x"}"#,
        r#"{"ts":8640000000000001,"timestamp":1e308,"msg":"x"}"#,
        r#"{"time":-9223372036854775808,"msg":"x"}"#,
        r#"{"logger":"\u0000","msg":"\ud800","loghost-severity":"critical","loghost-place":"1/2"}"#,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"99999999999999999999","severityNumber":-5}]}]}]}"#,
    ];
    let mut bodies: Vec<_> = texts.map(|text| (text.as_bytes().to_vec(), 1)).into();
    bodies.extend([
        (b"[".repeat(1_000_000), 1),
        (br#"{"a":"#.repeat(200_000), 1),
        (bomb.clone(), 1),
        (bomb[..bomb.len() / 2].to_vec(), 1),
        (nested_bomb, 1),
        (long_name.into_bytes(), 1),
        (b"{\"level\":\"error\",\"msg\":\"\xff\xfe\"}".to_vec(), 1),
        // Requests of OpenTelemetry whose lengths lie.
        (b"\x0a\xff\xff\xff\xff\x0f".to_vec(), 1),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x".to_vec(), 1),
        (b"\x0a\x04\x12\x7f\x12\x00".to_vec(), 1),
        (b"\x0a\x02\x12\x00".repeat(200_000), 1),
        (lines.repeat(20_000).into_bytes(), MOST_LOGS),
        (many.into_bytes(), 1),
        (format!("[{}]", vec!["{}"; 50_000].join(",")).into_bytes(), MOST_LOGS),
    ]);
    bodies
}

/// Properties that say what is not so. RabbitMQ itself refuses what is no number (NaN).
fn properties() -> Vec<BasicProperties> {
    let mut nested = AMQPValue::Boolean(true);
    for _ in 0..40 {
        let mut table = FieldTable::default();
        table.insert("level".into(), nested);
        nested = AMQPValue::FieldArray(vec![AMQPValue::FieldTable(table)].into());
    }
    let with = |headers: Vec<(&str, AMQPValue)>| {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert(name.into(), value);
        }
        BasicProperties::default().with_headers(table)
    };
    let text = |text: &[u8]| AMQPValue::LongString(text.to_vec().into());
    vec![
        with(vec![("severity", nested.clone()), ("app", nested)]),
        with(vec![("severity", AMQPValue::Double(f64::MAX)), ("time", AMQPValue::Timestamp(u64::MAX))]),
        with(vec![
            ("level", text(b"\xff\xfe")),
            ("x-amqp-1.0-app-properties", text(b"\xd1\xff\xff\xff\xff")),
        ]),
        with(vec![
            ("loghost-replay", AMQPValue::Boolean(true)),
            ("loghost-exchange", text(b"logs.critical")),
        ]),
        BasicProperties::default().with_timestamp(u64::MAX).with_content_encoding("gzip".into()),
        BasicProperties::default().with_type("amqp-1.0".into()).with_content_type("application/json".into()),
        BasicProperties::default().with_type("loghost.marker".into()).with_message_id("loghost:x/0".into()),
    ]
}

/// Ids that look like loghost's: what says the same twice is one log, of whatever text; others are each one.
const IDS: [(&str, &str); 5] = [
    ("loghost:other/1", "first"),
    ("loghost:other/1", "again"),
    ("loghost:other/18446744073709551615", "the last"),
    ("loghost:other/18446744073709551616", "none"),
    ("loghost:/1", "none"),
];

fn what_no_logger_writes_is_counted(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let reader = guest("reader").fields(&["id", "source", "attributes"]).write(folder.path());
    let run = |arguments: &[&str]| broker.loghost(["run", "--bind", &exchange]).args(arguments).arg(&reader);
    run(&["--declare-only"]).end().exits(0);
    let from: &[&str] = if broker.is_stream() { &["--from", "first"] } else { &[] };
    let running = run(&["--format", "json", "--every", "50ms"]).args(from).start();
    running.says("consuming from");

    let mut expected = 0;
    for (body, logs) in bodies() {
        outside.publish(&exchange, "shop", &body, BasicProperties::default());
        expected += logs;
    }
    // RabbitMQ refuses most of these where a stream takes them.
    for properties in if broker.is_stream() { Vec::new() } else { properties() } {
        outside.publish(&exchange, "shop", br#"{"msg":"x"}"#, properties);
        expected += 1;
    }
    for (id, text) in IDS {
        let properties = BasicProperties::default().with_message_id(id.into());
        outside.publish(&exchange, "shop", text.as_bytes(), properties);
    }
    expected += 4;

    let total = |so_far: &str| {
        let counts = last_of(so_far, "reader")["counts"].clone();
        counts.as_object().map_or(0, |counts| counts.values().filter_map(Value::as_u64).sum())
    };
    running.has_printed(|so_far| total(so_far) >= expected);
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < MOST_MEMORY / 1024, "{peak} KiB");
    let output = running.end_by(Signal::Terminate).exits(0).does_not_say("panicked");
    let metric = last_of(&output.stdout, "reader");
    assert_eq!((total(&output.stdout), &metric["foreign"]), (expected, &json!(0)), "{output}");
    assert_eq!(outside.depth(&broker.queue("reader")).unwrap_or(0), 0, "all of it is acknowledged");
    assert_eq!(outside.depth(&broker.dead_queue("reader")).unwrap_or(0), 0, "{output}");
}
