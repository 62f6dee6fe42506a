//! `loghost publish`: what arrives, what is reported, what is refused.

use std::fs;

use lapin::types::{AMQPValue, LongString, ShortString};
use libtest_mimic::Trial;
use serde_json::json;

use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Signal, loghost};
use crate::support::test;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![test("publish::refuses_wrong_arguments", refuses_wrong_arguments)];
    trials.extend(on_each("publish::sends_one_log_with_all_it_has", sends_one_log_with_all_it_has));
    trials.extend(on_each("publish::sends_lines_as_they_come", sends_lines_as_they_come));
    trials.extend(on_each("publish::says_what_it_has_read_of_a_line", says_what_it_has_read_of_a_line));
    trials.extend(on_each("publish::sends_any_text_as_it_is", sends_any_text_as_it_is));
    trials.extend(on(Kind::QUEUES, "publish::says_what_no_queue_wanted", says_what_no_queue_wanted));
    trials.extend(on_each("publish::sends_nothing_of_a_bad_file", sends_nothing_of_a_bad_file));
    trials
}

/// A queue of somebody else's, with all logs of `severity`.
#[track_caller]
fn listen(broker: &Broker, severity: &str) -> String {
    let queue = format!("{}-{severity}", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange(severity));
    queue
}

fn sends_one_log_with_all_it_has(broker: &Broker) {
    let queue = listen(broker, "error");
    let publish = broker.loghost(["publish", "error", "disk full", "--source", "db-1"]);
    let before = now();
    publish.args(["--attribute", "disk=sda", "--attribute", "used=99 %"]).end().exits(0).prints("total 1");
    let message = broker.outside().take(&queue);
    assert_eq!(message.data, b"disk full");
    assert_eq!(message.exchange.as_str(), broker.exchange("error"));
    assert_eq!(message.routing_key.as_str(), "db-1");

    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let properties = &message.properties;
    assert_eq!(text(properties.app_id().as_ref().map(ShortString::as_str)), "db-1");
    assert_eq!(text(properties.content_type().as_ref().map(ShortString::as_str)), "text/plain");
    assert_eq!(*properties.delivery_mode(), Some(2));
    let id = text(properties.message_id().as_ref().map(ShortString::as_str));
    let (producer, number) =
        id.strip_prefix("loghost:").and_then(|id| id.rsplit_once('/')).unwrap_or_else(|| panic!("{id}"));
    assert!(!producer.is_empty() && number == "1", "{id}");

    let headers = properties.headers().as_ref().expect("headers").inner();
    let long = |text: &str| Some(AMQPValue::LongString(LongString::from(text)));
    assert_eq!(headers.get("disk").cloned(), long("sda"));
    assert_eq!(headers.get("used").cloned(), long("99 %"));
    let Some(AMQPValue::LongLongInt(millis)) = headers.get("timestamp_in_ms") else { panic!("{headers:?}") };
    let millis = u64::try_from(*millis).expect("a time after 1970");
    assert!((before..=now()).contains(&millis), "{millis}");
    assert_eq!(*properties.timestamp(), Some(millis / 1000));
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a time after 1970").as_millis().try_into().expect("a time near ours")
}

fn sends_lines_as_they_come(broker: &Broker) {
    let queue = listen(broker, "info");
    let outside = broker.outside();
    let mut publish = broker
        .loghost(["publish", "--stdin", "--severity", "info", "--source", "web-1", "--format", "json"])
        .start();
    for (n, line) in ["the first", "", "the third\r"].iter().enumerate() {
        publish.write_line(line);
        // It is there before the next is written.
        let message = outside.take(&queue);
        assert_eq!(String::from_utf8_lossy(&message.data), line.trim_end(), "{publish}");
        assert_eq!(message.routing_key.as_str(), "web-1");
        let id = message.properties.message_id().as_ref().expect("an id").to_string();
        assert!(id.ends_with(&format!("/{}", n + 1)), "{id}");
    }
    publish.close_stdin();
    let output = publish.end().exits(0);
    let report = output.json();
    assert_eq!(report.len(), 1, "{output}");
    let none = json!({"debug": 0, "info": 0, "error": 0, "critical": 0});
    assert_eq!(report[0]["confirmed"], json!({"debug": 0, "info": 3, "error": 0, "critical": 0}), "{output}");
    assert_eq!((&report[0]["unroutable"], &report[0]["refused"]), (&none, &none), "{output}");
}

/// Where it is interrupted within the line.
fn says_what_it_has_read_of_a_line(broker: &Broker) {
    let queue = listen(broker, "info");
    for (text, deferred) in [("the first\nthe sec", 1), ("the first\n", 0)] {
        let publish = broker.loghost(["publish", "--stdin", "--severity", "info", "--format", "json"]);
        let mut publish = publish.start();
        publish.write(text);
        broker.outside().take(&queue);
        publish.signal(Signal::Interrupt);
        // Before its standard input ends, which ends the line.
        publish.says("interrupted");
        let output = publish.end().exits(0);
        let said = output.stderr.contains("line 2 of standard input has no end yet: it is not sent");
        assert_eq!((said, &output.json()[0]["held_back"]), (deferred == 1, &json!(deferred)), "{output}");
        assert_eq!(broker.outside().depth(&queue), Some(0));
    }
}

fn sends_any_text_as_it_is(broker: &Broker) {
    let queue = listen(broker, "debug");
    let outside = broker.outside();
    let long = "0123456789abcdef".repeat(1024 * 1024 / 16);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("texts.txt");
    let texts = [
        "",
        "база недоступна ☠",
        "👩🏽‍💻 José José",
        "a\u{1b}[31mred\u{7}\u{0}",
        " two\n\nlines ",
        long.as_str(),
    ];
    let scenario: String = texts.map(|text| format!("debug: {}\n", text.replace('\n', "\n| "))).concat();
    fs::write(&file, scenario).expect("a file in a folder of ours");
    broker.loghost(["publish", "--require-route", "--file"]).arg(&file).end().exits(0).prints("total 6");
    for text in texts {
        let message = outside.take(&queue);
        assert!(
            message.data == text.as_bytes(),
            "{:.80} instead of {text:.80}",
            format!("{:?}", message.data)
        );
    }

    let stdin = broker.loghost(["publish", "--stdin", "--severity", "debug", "--require-route"]);
    stdin.stdin(b"caf\xe9\nno line end".as_slice()).end().exits(0).prints("total 2");
    assert_eq!(outside.take(&queue).data, "caf\u{fffd}".as_bytes());
    assert_eq!(outside.take(&queue).data, b"no line end");
}

fn says_what_no_queue_wanted(broker: &Broker) {
    listen(broker, "info");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("some.txt");
    fs::write(&file, "info x2: wanted\nerror x3: not wanted\n").expect("a file in a folder of ours");
    let lenient = broker.loghost(["publish", "--file"]).arg(&file).end().exits(0);
    lenient.prints("confirmed  debug 0  info 2  error 3  critical 0  total 5").says("no queue wanted 3");

    let strict = broker.loghost(["publish", "--require-route", "--format", "json", "--file"]).arg(&file);
    let strict = strict.end().exits(1).says("no queue wanted 3");
    let mut follows = broker.loghost(["publish", "--stdin", "--severity", "error"]).start();
    follows.write_line("not wanted");
    follows.says("no queue wants these logs");
    follows.close_stdin();
    follows.end().exits(0).says("no queue wanted 1");

    let report = strict.json();
    assert_eq!(report[0]["confirmed"], json!({"debug": 0, "info": 2, "error": 3, "critical": 0}));
    assert_eq!(report[0]["unroutable"], json!({"debug": 0, "info": 0, "error": 3, "critical": 0}));
}

fn sends_nothing_of_a_bad_file(broker: &Broker) {
    let queue = listen(broker, "error");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.txt");
    fs::write(&file, "error: good\n".repeat(1000) + "eror x2: bad\n").expect("a file in a folder of ours");
    let output = broker.loghost(["publish", "--file"]).arg(&file).end().exits(65);
    assert_eq!(output.stdout, "", "{output}");
    output.says("bad.txt:1001:1").says("eror");
    assert_eq!(broker.outside().depth(&queue), Some(0));

    let missing = broker.loghost(["publish", "--file"]).arg(folder.path().join("missing.txt"));
    missing.end().exits(65).says("missing.txt");
}

fn refuses_wrong_arguments() {
    let wrong: [&[&str]; 11] = [
        &[],
        &["error"],
        &["fatal", "text"],
        &["--stdin"],
        &["--severity", "info"],
        &["error", "text", "--file", "scenarios/1.txt"],
        &["error", "text", "--stdin"],
        &["--file", "scenarios/1.txt", "--source", "web-1"],
        &["error", "text", "--attribute", "no value"],
        &["error", "text", "--attribute", "a=1", "--attribute", "a=2"],
        &["error", "text", "--prefix", ""],
    ];
    for arguments in wrong {
        let output = loghost(["publish"]).args(arguments).end().exits(2).says("error");
        assert_eq!(output.stdout, "", "{output}");
    }
}
