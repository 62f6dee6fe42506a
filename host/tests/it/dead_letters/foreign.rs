//! Messages of programs that know nothing of loghost.

use std::process::Command;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldTable};
use libtest_mimic::Trial;
use serde_json::json;

use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Running, Signal};
use crate::support::dead_letters::list;
use crate::support::guest::{Then, guest};
use crate::support::metrics::last_of_text;
use crate::support::{Need, Skip, needing, repository, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in Kind::MOST {
        for (library, client) in [("pika", PIKA), ("amqplib", AMQPLIB)] {
            let name = format!("{}::foreign::counts_what_{library}_publishes", kind.name());
            trials.push(needing(name, move || counts_what_it_publishes(client, kind)));
        }
    }
    trials.extend(on_each("foreign::counts_whatever_comes_through_its_exchange", counts_whatever_comes));
    trials.extend(on(
        Kind::QUEUES,
        "foreign::values_arrive_as_they_were_meant",
        values_arrive_as_they_were_meant,
    ));
    trials.extend(on_each("foreign::shows_a_hostile_exchange_as_text", shows_a_hostile_exchange_as_text));
    trials
}

/// `loghost run plugins/error.wasm`, when it consumes.
#[track_caller]
fn run(broker: &Broker) -> Running {
    let run = broker.loghost(["run", "--every", "50ms"]).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    run
}

/// Ends it when it has counted `n` logs, all of which are acknowledged.
#[track_caller]
fn counts(broker: &Broker, run: Running, n: u32) -> String {
    let metric = format!("error     {n}\ntotal     {n}");
    run.has_printed(|so_far| last_of_text(so_far).get("error") == Some(&metric));
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(last_of_text(&output.stdout)["error"], metric, "{output}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
    output.stderr
}

/// An outside client: what runs it, its script, and how to see that its library is there.
#[derive(Clone, Copy)]
struct Client {
    need: Need,
    program: &'static str,
    script: &'static str,
    probe: [&'static str; 2],
    advice: &'static str,
}

const PIKA: Client = Client {
    need: Need::Python,
    program: "python3",
    script: "publish.py",
    probe: ["-c", "import pika"],
    advice: "python3 has no pika: pip install pika",
};

const AMQPLIB: Client = Client {
    need: Need::Node,
    program: "node",
    script: "publish.js",
    probe: ["-e", "require('amqplib')"],
    advice: "node has no amqplib: npm install amqplib, and NODE_PATH",
};

fn counts_what_it_publishes(client: Client, kind: Kind) -> Result<(), Skip> {
    match Command::new(client.program).args(client.probe).output() {
        Ok(output) if output.status.success() => {}
        Ok(_) => return Err(Skip::new(client.need, client.advice)),
        Err(_) => return Err(Skip::new(client.need, format!("{} is not installed", client.program))),
    }
    let broker = Broker::new(kind)?;
    let run = run(&broker);
    let script = repository().join("host/tests/it/clients").join(client.script);
    let mut publish = Command::new(client.program);
    let published = publish.arg(script).args([broker.url(), &broker.exchange("error"), "7"]).output();
    let published = published.expect("it started before");
    let errors = String::from_utf8_lossy(&published.stderr);
    assert_eq!(String::from_utf8_lossy(&published.stdout), "published 7\n", "{errors}");
    counts(&broker, run, 7);
    Ok(())
}

fn counts_whatever_comes(broker: &Broker) {
    let run = run(broker);
    let outside = broker.outside();
    let exchange = broker.exchange("error");
    let mut headers = FieldTable::default();
    headers.insert("level".into(), AMQPValue::LongInt(17));
    headers.insert("timestamp_in_ms".into(), AMQPValue::Boolean(true));
    let odd = BasicProperties::default()
        .with_message_id("loghost:nobody/not a number".into())
        .with_content_type("application/json".into())
        .with_timestamp(u64::MAX)
        .with_headers(headers);
    outside.publish(&exchange, "", b"no properties at all", BasicProperties::default());
    outside.publish(&exchange, "a.b.c", b"\xff\xfe no UTF-8 \x00", BasicProperties::default());
    outside.publish(&exchange, "db-1", b"", odd);
    let stderr = counts(broker, run, 3);
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// Whatever type a client has chosen for them.
fn values_arrive_as_they_were_meant(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("values").on("", Then::Reject("to be looked at".to_owned())).write(folder.path());
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    let publish = |key: &str, value: AMQPValue, seconds: u64| {
        let mut headers = FieldTable::default();
        headers.insert(key.into(), value);
        let properties = BasicProperties::default().with_headers(headers).with_timestamp(seconds);
        outside.publish(&exchange, "", b"any", properties);
    };
    let time = 1_700_000_000_123_u64;
    let times = [
        AMQPValue::LongLongInt(time.cast_signed()),
        AMQPValue::Double(1_700_000_000_123.7),
        AMQPValue::Timestamp(time),
        AMQPValue::LongString("1700000000123".into()),
        AMQPValue::ByteArray(b"1700000000123".as_slice().into()),
    ];
    let decimal = AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 1234 });
    let texts = [
        (AMQPValue::ByteArray(b"bob".as_slice().into()), "bob"),
        (decimal.clone(), "12.34"),
        (AMQPValue::Float(0.1), "0.1"),
        (AMQPValue::Double(0.1), "0.1"),
        (AMQPValue::LongUInt(u32::MAX), "4294967295"),
        (AMQPValue::FieldArray(vec![AMQPValue::Float(0.1), decimal].into()), r#"[0.1,"12.34"]"#),
    ];
    for value in &times {
        publish("timestamp_in_ms", value.clone(), 7);
    }
    for (value, _) in &texts {
        publish("user", value.clone(), time);
    }
    publish("timestamp_in_ms", AMQPValue::LongString("today".into()), 1_700_000_000);
    let logs = (times.len() + texts.len() + 1).to_string();
    broker.loghost(["run", "--max-logs", &logs]).arg(plugin).end().exits(0);

    let listed = list(broker, "values", &[]);
    let (by_header, others) = listed.split_at(times.len());
    for (dead_letter, value) in by_header.iter().zip(times) {
        assert_eq!(
            (&dead_letter["timestamp"], &dead_letter["attributes"]),
            (&json!(time), &json!({})),
            "{value:?}"
        );
    }
    for (dead_letter, (_, text)) in others.iter().zip(texts) {
        assert_eq!(
            (&dead_letter["timestamp"], &dead_letter["attributes"]["user"]),
            (&json!(time), &json!(text))
        );
    }
    let unread = listed.last().expect("they are all there");
    assert_eq!(unread["timestamp"], json!(1_700_000_000_000_u64));
    assert_eq!(unread["attributes"], json!({"timestamp_in_ms": "today"}));
}

/// A name may hold what a terminal obeys.
fn shows_a_hostile_exchange_as_text(broker: &Broker) {
    let run = run(broker);
    let outside = broker.outside();
    let hostile = format!("{}\u{1b}[2J\u{9b}31m\u{7}", broker.prefix());
    outside.bind(&broker.queue("error"), &hostile);
    outside.publish(&hostile, "", b"not a log", BasicProperties::default());
    let notice = run.says("came through");
    assert!(notice.contains(broker.prefix()) && !notice.contains(char::is_control), "{notice:?}");
    outside.publish(&broker.exchange("error"), "", b"a log", BasicProperties::default());
    counts(broker, run, 1);
}
