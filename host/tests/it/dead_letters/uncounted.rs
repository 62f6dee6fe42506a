//! Messages that a consumer does not count: those that came through a foreign exchange or directly into its queue,
//! and logs that its filter does not want. They become dead letters with all their contents, also when hosts are
//! killed, and no other log is lost or counted twice because of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Loghost, Output, Running, Signal};
use crate::support::dead_letters::{dead_letters, list};
use crate::support::guest::{Guest, declare, guest};
use crate::support::outside::Outside;
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on_each("uncounted::foreign_messages_become_dead_letters_whole", |broker| {
            foreign_messages_become_dead_letters(broker, &guest("one"));
        }),
        on_each("uncounted::foreign_messages_are_not_shown_to_a_processor", |broker| {
            foreign_messages_become_dead_letters(broker, &guest("one").processes());
        }),
        on(
            Kind::QUEUES,
            "uncounted::foreign_messages_cannot_be_replayed",
            foreign_messages_cannot_be_replayed,
        ),
        on_each("uncounted::by_the_thousand", by_the_thousand),
        on_each("uncounted::survive_kills", survive_kills),
        on_each("uncounted::are_said_where_there_are_no_dead_letters", are_said_without_dead_letters),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `loghost run` with this plugin.
pub(super) fn run(broker: &Broker, file: &Path) -> Loghost {
    broker.loghost(["run", "--format", "json", "--every", "20ms"]).arg(file)
}

/// The same, when it consumes.
#[track_caller]
pub(super) fn running(command: Loghost) -> Running {
    let run = command.start();
    run.says("consuming from");
    run
}

/// The last metric that was printed.
pub(super) fn last(stdout: &str) -> Option<Value> {
    stdout.lines().last().and_then(|line| serde_json::from_str(line).ok())
}

pub(super) fn has(stdout: &str, key: &str, severity: Option<&str>, n: u64) -> bool {
    last(stdout).is_some_and(|metric| match severity {
        Some(severity) => metric[key][severity] == n,
        None => metric[key] == n,
    })
}

/// Ends it; gives its last metric and what it has said.
#[track_caller]
pub(super) fn end(run: Running) -> (Value, Output) {
    let output = run.end_by(Signal::Terminate).exits(0);
    (last(&output.stdout).expect("a metric"), output)
}

pub(super) fn with_id(n: u64) -> BasicProperties {
    BasicProperties::default().with_message_id(format!("loghost:p/{n}").into())
}

pub(super) fn named(name: &str) -> BasicProperties {
    BasicProperties::default().with_message_id(name.into())
}

fn bodies(messages: &[Delivery]) -> BTreeSet<String> {
    messages.iter().map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect()
}

/// A body of several frames that is no text, and properties of every kind that a broker does not act on.
fn odd() -> (Vec<u8>, BasicProperties) {
    let body = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut headers = FieldTable::default();
    headers.insert("level".into(), AMQPValue::LongInt(17));
    headers.insert("text".into(), AMQPValue::LongString("päckchen".into()));
    headers.insert("loghost-exchange".into(), AMQPValue::LongString("a lie".into()));
    let properties = BasicProperties::default()
        .with_message_id("odd".into())
        .with_content_type("application/x-odd".into())
        .with_content_encoding("binary".into())
        .with_correlation_id("c-1".into())
        .with_reply_to("somebody".into())
        .with_type("odd".into())
        .with_app_id("app".into())
        .with_priority(3)
        .with_timestamp(1_700_000_000)
        .with_headers(headers);
    (body, properties)
}

/// Through a foreign exchange that is bound to a severity's, and directly into the queue.
fn foreign_messages_become_dead_letters(broker: &Broker, plugin: &Guest) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = plugin.write(folder.path());
    let run = running(run(broker, &file));
    let outside = broker.outside();
    let (queue, error) = (broker.queue("one"), broker.exchange("error"));
    let app = format!("{}-app", broker.prefix());
    outside.forward(&app, &error);
    let (body, properties) = odd();
    outside.publish(&error, "web", b"a log", BasicProperties::default());
    outside.publish(&app, "orders.7", &body, properties.clone());
    outside.publish("", &queue, &body, properties.clone());
    outside.publish(&error, "web", b"another log", BasicProperties::default());
    run.has_printed(|so_far| has(so_far, "foreign", None, 2) && has(so_far, "counts", Some("error"), 2));
    let (metric, output) = end(run);
    assert_eq!((&metric["counts"]["error"], &metric["foreign"]), (&json!(2), &json!(2)), "{output}");
    assert_eq!((&metric["without_id"], &metric["rejected"]["error"]), (&json!(2), &json!(0)), "{output}");
    assert_eq!(output.stderr.matches("is not counted").count(), 1, "{output}");
    let output = output.says("goes to the dead letters").says("not counted in this run: 2 messages");
    output.does_not_say("panicked");
    assert_eq!(outside.depth(&queue), Some(0));

    let listed = list(broker, "one", &["--outcome", "foreign"]);
    assert_eq!(listed.len(), 2, "{listed:?}");
    for dead_letter in &listed {
        assert_eq!((&dead_letter["severity"], &dead_letter["outcome"]), (&json!(null), &json!("foreign")));
        assert_eq!((&dead_letter["attempts"], &dead_letter["source"]), (&json!(0), &json!("")));
        assert_eq!((&dead_letter["attributes"]["level"], &dead_letter["id"]), (&json!("17"), &json!("odd")));
        assert_eq!(dead_letter["original"]["loghost-exchange"], "a lie");
    }
    let through = listed.iter().find(|dead_letter| dead_letter["exchange"] == app).expect("it is named");
    assert_eq!(through["routing_key"], "orders.7");
    assert!(through["reason"].as_str().is_some_and(|reason| reason.contains(&app)), "{through}");
    let direct = listed.iter().find(|dead_letter| dead_letter["exchange"] == "").expect("it is named");
    assert_eq!(direct["routing_key"], queue);
    assert!(direct["reason"].as_str().is_some_and(|reason| reason.contains("directly")), "{direct}");
    assert!(list(broker, "one", &["--severity", "error"]).is_empty(), "they have none");
    assert!(list(broker, "one", &["--source", "#"]).is_empty(), "they have none");
    dead_letters(broker, "list", ["one"]).end().exits(0).prints("  foreign  ");
    dead_letters(broker, "show", ["one", "1"]).end().exits(0).prints("foreign");

    for delivery in outside.take_all(&format!("{queue}.dead")) {
        assert!(delivery.data == body, "the body is as it was");
        let (dead, were) = (&delivery.properties, &properties);
        assert_eq!(
            [dead.message_id(), dead.content_type(), dead.content_encoding(), dead.correlation_id()],
            [were.message_id(), were.content_type(), were.content_encoding(), were.correlation_id()]
        );
        assert_eq!(
            [dead.reply_to(), dead.kind(), dead.app_id()],
            [were.reply_to(), were.kind(), were.app_id()]
        );
        assert_eq!((dead.priority(), dead.timestamp()), (were.priority(), were.timestamp()));
        let headers = dead.headers().as_ref().expect("headers").inner();
        assert_eq!(headers.get("level"), Some(&AMQPValue::LongInt(17)));
        assert_eq!(headers.get("text"), Some(&AMQPValue::LongString("päckchen".into())));
    }
}

/// They are no logs, so that the consumer would not count them: they stay until they are purged.
fn foreign_messages_cannot_be_replayed(broker: &Broker) {
    let outside = broker.outside();
    let file = tracked("plugins/error.wasm");
    let run = running(run(broker, &file));
    outside.bind_a_severity(&broker.queue("error"), &broker.exchange("info"), "old.*");
    outside.publish("", &broker.queue("error"), b"no log", BasicProperties::default());
    outside.publish(&broker.exchange("info"), "old.1", b"a log", BasicProperties::default());
    run.has_printed(|so_far| has(so_far, "foreign", None, 1) && has(so_far, "unwanted", Some("info"), 1));
    end(run);
    let replay = |arguments: [&str; 3]| dead_letters(broker, "replay", arguments).end();
    for which in [["error", "--outcome", "foreign"], ["error", "--number", "1"]] {
        replay(which).exits(65).prints("replayed 0").says("cannot be replayed").says("foreign");
    }
    let json = dead_letters(broker, "replay", ["error", "--all", "--format", "json"]).end().exits(0);
    let said = json.json().pop().expect("what was done");
    assert_eq!((&said["replayed"], &said["not_logs"]), (&json!(1), &json!(1)), "{json}");
    json.says("cannot be replayed");
    dead_letters(broker, "purge", ["error", "--all"]).end().exits(0).prints("purged 1");
    assert!(list(broker, "error", &[]).is_empty());
}

/// Publishes so many logs and so many messages that are none, in turn; gives the bodies of the latter.
fn publish_both(outside: &Outside, broker: &Broker, many: u64) -> BTreeSet<String> {
    let (error, queue) = (broker.exchange("error"), broker.queue("error"));
    let messages = (1..=many).flat_map(|n| {
        // Those without an id would be counted again if they came again.
        let properties = if n % 2 == 0 { with_id(n / 2) } else { BasicProperties::default() };
        [
            (error.as_str(), "web", format!("log {n}"), properties),
            ("", queue.as_str(), format!("no log {n}"), BasicProperties::default()),
        ]
    });
    outside.publish_all(messages);
    (1..=many).map(|n| format!("no log {n}")).collect()
}

/// A consumer that counts is opened again for them once, and counts nothing twice.
fn by_the_thousand(broker: &Broker) {
    let outside = broker.outside();
    let file = tracked("plugins/error.wasm");
    declare(broker, std::slice::from_ref(&file));
    let foreign = publish_both(&outside, broker, 2000);
    let run = running(run(broker, &file));
    run.has_printed(|so_far| {
        has(so_far, "foreign", None, 2000) && has(so_far, "counts", Some("error"), 2000)
    });
    let (metric, output) = end(run);
    assert_eq!((&metric["counts"]["error"], &metric["foreign"]), (&json!(2000), &json!(2000)), "{output}");
    assert_eq!(metric["repeated"], 0, "{output}");
    assert_eq!(output.stderr.matches("opening its queue again").count(), 1, "{output}");
    assert_eq!(output.stderr.matches("is not counted").count(), 1, "{output}");
    assert_eq!(outside.depth(&broker.queue("error")), Some(0));
    let listed = outside.take_all(&format!("{}.dead", broker.queue("error")));
    assert_eq!((listed.len(), bodies(&listed)), (2000, foreign));
}

/// The host is killed at random moments and started again: logs with ids are counted once, unwanted ones become dead
/// dead letters and are recorded as such, and every foreign message becomes a dead letter at least once.
fn survive_kills(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let file = tracked("plugins/error.wasm");
    let outside = broker.outside();
    let (queue, info) = (broker.queue("error"), broker.exchange("info"));
    declare(broker, std::slice::from_ref(&file));
    outside.bind_a_severity(&queue, &info, "old.*");
    let (mut wanted, mut unwanted, mut foreign) = (0, 0, BTreeSet::new());
    let mut random = Rng::new();
    for _ in 0..6 {
        let first = wanted + 1;
        let messages = (first..first + 200).flat_map(|n| {
            [
                (broker.exchange("error"), "web", format!("wanted {n}"), with_id(n)),
                (info.clone(), "old.1", format!("unwanted {n}"), with_id(n)),
                (String::new(), queue.as_str(), format!("foreign {n}"), BasicProperties::default()),
            ]
        });
        let messages: Vec<_> = messages.collect();
        let all = messages
            .iter()
            .map(|(exchange, key, body, id)| (exchange.as_str(), *key, body.clone(), id.clone()));
        outside.publish_all(all);
        foreign.extend((first..first + 200).map(|n| format!("foreign {n}")));
        wanted += 200;
        unwanted += 200;
        let run = run(broker, &file).arg("--state").arg(&state).start();
        run.says("consuming from");
        if first == 1 {
            // Where it begins is in its state.
            run.prints("\"consumer\"");
        }
        // It is killed at a random moment.
        thread::sleep(Duration::from_millis(random.u64(0..600)));
        run.end_by(Signal::Kill);
    }
    let rest = run(broker, &file).args(["--until-idle", "3s", "--state"]).arg(&state).end().exits(0);
    let metric = last(&rest.stdout).expect("a metric");
    assert_eq!(metric["counts"]["error"], wanted, "{rest}");
    assert_eq!(
        (&metric["unwanted"]["info"], &metric["counts"]["info"]),
        (&json!(unwanted), &json!(0)),
        "{rest}"
    );
    assert!(metric["foreign"].as_u64() >= Some(foreign.len() as u64), "{rest}");
    assert_eq!(outside.depth(&queue), Some(0));
    let expected = foreign.into_iter().chain((1..=unwanted).map(|n| format!("unwanted {n}")));
    assert_eq!(bodies(&outside.take_all(&format!("{queue}.dead"))), expected.collect());
}

/// The queue of `--ephemeral` is a copy: there they are reported and acknowledged.
fn are_said_without_dead_letters(broker: &Broker) {
    let outside = broker.outside();
    let app = format!("{}-app", broker.prefix());
    let run = running(run(broker, &tracked("plugins/error.wasm")).arg("--ephemeral"));
    outside.forward(&app, &broker.exchange("error"));
    outside.publish(&app, "", b"no log", BasicProperties::default());
    outside.publish(&app, "", b"no log either", BasicProperties::default());
    outside.publish(&broker.exchange("error"), "", b"a log", BasicProperties::default());
    run.has_printed(|so_far| has(so_far, "foreign", None, 2) && has(so_far, "counts", Some("error"), 1));
    let (_, output) = end(run);
    assert_eq!(output.stderr.matches("is acknowledged").count(), 1, "{output}");
    output.says(&app).says("not counted in this run: 2 messages").says("they were acknowledged");
    assert_eq!(outside.depth(&format!("{}.dead", broker.queue("error"))), None);
}
