//! `loghost publish --stdin --decode`: what arrives of lines as programs write them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use lapin::ExchangeKind;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ShortString};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, on_each, start_embedded};
use crate::support::cli::{Signal, binary, loghost};
use crate::support::metrics::last_of_json;
use crate::support::outside::Outside;
use crate::support::{repository, test};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("decode::refuses_wrong_arguments", refuses_wrong_arguments),
        test("decode::the_commands_of_the_page_work", the_commands_of_the_page_work),
    ];
    trials.extend(
        [
            on_each("decode::finds_what_lines_say", finds_what_lines_say),
            on_each("decode::reaches_the_consumers", reaches_the_consumers),
            on_each("decode::maps_levels_as_it_is_told", maps_levels_as_it_is_told),
            on_each("decode::joins_stack_traces", joins_stack_traces),
            on_each("decode::publishes_what_nothing_follows", publishes_what_nothing_follows),
            on_each("decode::holds_back_a_log_that_may_go_on", holds_back_a_log_that_may_go_on),
        ]
        .into_iter()
        .flatten(),
    );
    trials
}

/// A queue of somebody else's, with all logs.
#[track_caller]
pub(super) fn listen(broker: &Broker) -> String {
    let queue = format!("{}-all", broker.prefix());
    for severity in ["debug", "info", "error", "critical"] {
        broker.outside().listen(&queue, &broker.exchange(severity));
    }
    queue
}

/// What arrived: the severity, the source, the text, the time in milliseconds, and the attributes.
fn arrived(broker: &Broker, message: &Delivery) -> Value {
    let severity = message.exchange.as_str().strip_prefix(broker.prefix()).map(|name| &name[1..]);
    let headers = message.properties.headers().as_ref().expect("headers").inner();
    let mut time = None;
    let mut attributes = serde_json::Map::new();
    for (name, value) in headers {
        match value {
            AMQPValue::LongLongInt(millis) if name.as_str() == "timestamp_in_ms" => time = Some(*millis),
            AMQPValue::LongString(text) => {
                attributes.insert(name.to_string(), json!(String::from_utf8_lossy(text.as_bytes())));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let source = message.properties.app_id().as_ref().map(ShortString::as_str);
    assert_eq!(source.unwrap_or_default(), message.routing_key.as_str());
    let text = String::from_utf8_lossy(&message.data);
    json!([severity, source, text, time, attributes])
}

/// Publishes lines, and takes what arrives of them.
#[track_caller]
pub(super) fn published(broker: &Broker, options: &[&str], lines: &str) -> Vec<Value> {
    let queue = listen(broker);
    let publish = broker.loghost(["publish", "--stdin", "--require-route"]).args(options);
    publish.stdin(lines).end().exits(0);
    broker.outside().take_all(&queue).iter().map(|message| arrived(broker, message)).collect()
}

const JOURNALD: &str = r#"{"PRIORITY":"3","MESSAGE":"disk full","_HOSTNAME":"web-1","SYSLOG_IDENTIFIER":"shop","__REALTIME_TIMESTAMP":"1795648000123456","_PID":"42"}"#;
const DOCKER: &str = r#"{"log":"{\"level\":\"warn\",\"msg\":\"slow\"}\n","stream":"stdout","time":"2026-11-25T23:06:40.123456789Z"}"#;
const LOGFMT: &str = r#"time="2026-11-25T23:17:44Z" level=fatal msg="no more \"memory\"" host=web-2 used=99"#;
const SYSLOG: &str = r#"<15>1 2026-11-25T23:06:40.123456Z web-1 cron 42 ID47 [ex@32473 user="zoe"] started"#;
const JAVA: &str = "2026-11-25 23:06:40,123 ERROR [main] failed\njava.io.IOException: disk full\n\tat a.B.c(B.java:42)\n\
    Caused by: a.D: x\n\t... 7 more";
const PYTHON: &str = "ERROR: cannot divide\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    1/0\n\
    ZeroDivisionError: division by zero";
const GO: &str = "panic: no cart\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/shop.go:2 +0x2";

fn finds_what_lines_say(broker: &Broker) {
    let lines = [JOURNALD, DOCKER, LOGFMT, SYSLOG];
    let options = ["--decode", "auto", "--source", "app", "--attribute", "region=eu"];
    let logs = published(broker, &options, &lines.join("\n"));
    assert_eq!(
        logs,
        [
            json!(["error", "shop", "disk full", 1_795_648_000_123_u64,
                {"region": "eu", "level": "3", "_HOSTNAME": "web-1", "_PID": "42"}]),
            json!(["info", "app", "slow", 1_795_648_000_123_u64,
                {"region": "eu", "level": "warn", "stream": "stdout"}]),
            json!(["critical", "web-2", "no more \"memory\"", 1_795_648_664_000_u64,
                {"region": "eu", "level": "fatal", "used": "99"}]),
            json!(["debug", "cron", "started", 1_795_648_000_123_u64,
                {"region": "eu", "facility": "user", "host": "web-1", "pid": "42", "msgid": "ID47", "ex@32473.user": "zoe"}]),
        ]
    );
    let queue = listen(broker);
    let publish = broker.loghost(["publish", "--stdin", "--decode", "auto", "--source", "app"]);
    let output = publish.stdin("[ERROR] bracketed\ndebug Größe\n").end().exits(0);
    output.says("1 logs without a severity of their own: published as info");
    let messages = broker.outside().take_all(&queue);
    let logs: Vec<Value> = messages.iter().map(|message| arrived(broker, message)).collect();
    let [marked, bare] = &logs[..] else { panic!("{logs:?}") };
    assert_eq!((&marked[0], &marked[1], &marked[2]), (&json!("error"), &json!("app"), &json!("bracketed")));
    // A bare first word is no level.
    assert_eq!((&bare[0], &bare[1], &bare[2]), (&json!("info"), &json!("app"), &json!("debug Größe")));
}

/// Four consumers, and their metrics.
fn reaches_the_consumers(broker: &Broker) {
    broker.loghost(["run", "--declare-only"]).arg(repository().join("plugins")).end().exits(0);
    let lines =
        [JOURNALD, DOCKER, LOGFMT, SYSLOG, r#"[{"level":"error"},{"level":"debug"}]"#, "text"].join("\n");
    let publish =
        broker.loghost(["publish", "--stdin", "--decode", "auto", "--format", "json", "--require-route"]);
    let output = publish.stdin(lines).end().exits(0);
    let report = &output.json()[0];
    assert_eq!(report["confirmed"], json!({"debug": 2, "info": 2, "error": 2, "critical": 1}), "{output}");
    assert_eq!(report["undetermined"], 1, "{output}");
    let run =
        broker.loghost(["run", "--format", "json", "--until-idle", "1s"]).arg(repository().join("plugins"));
    let metrics = last_of_json(&run.end().exits(0));
    let total = |consumer: &str| metrics[consumer].lines().last().map(|line| line.replace(' ', ""));
    assert_eq!(
        ["all", "debug-info", "error", "critical"].map(total),
        ["total7", "total4", "total2", "total1"].map(|total| Some(total.to_owned())),
        "{metrics:?}"
    );
}

fn maps_levels_as_it_is_told(broker: &Broker) {
    let lines = "{\"level\":\"WARNING\",\"msg\":\"a\"}\n{\"level\":40,\"msg\":\"b\"}\n{\"level\":\"notice\",\"msg\":\"c\"}\n\
        {\"levelno\":35,\"msg\":\"d\"}\n{\"msg\":\"e\"}\nlevel=error msg=f\n";
    let options = [
        "--decode",
        "json",
        "--severity-map",
        "warn=error,notice=debug,35=info",
        "--default-severity",
        "critical",
    ];
    let severities: Vec<Value> =
        published(broker, &options, lines).into_iter().map(|mut log| log[0].take()).collect();
    assert_eq!(severities, ["error", "error", "debug", "info", "critical", "critical"]);
}

fn joins_stack_traces(broker: &Broker) {
    let lines = format!("first\n{JAVA}\nsecond\n{PYTHON}\nlast\n");
    let texts = |logs: Vec<Value>| -> Vec<(Value, Value)> {
        logs.into_iter().map(|mut log| (log[0].take(), log[2].take())).collect()
    };
    let log = |severity: &str, text: &str| (json!(severity), json!(text));
    let java = JAVA.split_once("ERROR ").expect("a level").1;
    let python = PYTHON.split_once(": ").expect("a level").1;
    let decoded = published(broker, &["--decode", "auto", "--multiline"], &lines);
    assert_eq!(
        texts(decoded),
        [
            log("info", "first"),
            log("error", java),
            log("info", "second"),
            log("error", python),
            log("info", "last")
        ]
    );
    let lines = format!("{lines}{GO}\n\nexit status 2\n");
    let plain = published(broker, &["--severity", "debug", "--multiline"], &lines);
    let expected =
        ["first", JAVA, "second", PYTHON, "last", GO, "exit status 2"].map(|text| log("debug", text));
    assert_eq!(texts(plain), expected);
}

/// Whoever follows a file sees a log also when no other comes after it.
fn publishes_what_nothing_follows(broker: &Broker) {
    let queue = listen(broker);
    let mut publish = broker.loghost(["publish", "--stdin", "--decode", "auto", "--multiline"]).start();
    for text in [JAVA, PYTHON] {
        publish.write_line(text);
        let message = broker.outside().take(&queue);
        assert!(text.ends_with(&*String::from_utf8_lossy(&message.data)), "{publish}");
    }
    publish.signal(Signal::Interrupt);
    publish.says("interrupted");
    publish.end().exits(0);
    assert_eq!(broker.outside().depth(&queue), Some(0));
}

/// With a journal: what is sent does not depend on how fast it comes.
fn holds_back_a_log_that_may_go_on(broker: &Broker) {
    let queue = listen(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let (first, rest) = JAVA.split_at(JAVA.find("Caused").expect("a cause"));
    for (lines, confirmed) in [(format!("start\n{first}"), 1), (format!("start\n{first}{rest}\nend\n"), 2)] {
        let publish =
            broker.loghost(["publish", "--stdin", "--decode", "auto", "--multiline", "--format", "json"]);
        let output = publish.arg("--journal").arg(&journal).stdin(lines).end().exits(0);
        let output = output.says("the last log of standard input is held back");
        let report = &output.json()[0];
        let total = |key: &str| -> u64 {
            report[key]
                .as_object()
                .into_iter()
                .flat_map(|tally| tally.values())
                .filter_map(Value::as_u64)
                .sum()
        };
        // The first run sends one; the second one knows it, and sends another.
        assert_eq!((total("confirmed"), total("already_confirmed")), (1, confirmed - 1), "{output}");
        assert_eq!(report["held_back"], 1, "{output}");
    }
    let messages = broker.outside().take_all(&queue);
    let texts: Vec<_> = messages.iter().map(|message| String::from_utf8_lossy(&message.data)).collect();
    let java = JAVA.split_once("ERROR ").expect("a level").1;
    assert_eq!(texts, ["start", java]);
}

fn refuses_wrong_arguments() {
    let wrong: [&[&str]; 8] = [
        &["--stdin", "--decode", "xml"],
        &["--stdin", "--decode", "otlp"],
        &["--stdin", "--decode", "none"],
        &["error", "text", "--decode", "auto"],
        &["--stdin", "--severity", "info", "--severity-map", "warn=error"],
        &["--stdin", "--decode", "auto", "--severity-map", "warn"],
        &["--stdin", "--decode", "auto", "--severity-map", "warn=warning"],
        &["--file", "scenarios/1.txt", "--multiline"],
    ];
    for arguments in wrong {
        let output = loghost(["publish"]).args(arguments).end().exits(2).says("error");
        assert_eq!(output.stdout, "", "{output}");
    }
}

/// Each command that the page shows, with programs in the place of those that may not be here, which write what the page
/// says that they write.
fn the_commands_of_the_page_work() {
    let page = fs::read_to_string(repository().join("host/doc/producers.md")).expect("a page of ours");
    let commands: Vec<&str> =
        page.lines().filter(|line| line.contains("| loghost publish --stdin")).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let program = |name: &str, writes: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{writes}\nEND\n")).expect("a file of ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    };
    program("journalctl", JOURNALD);
    program("docker", JAVA);
    program("kubectl", DOCKER);
    program("tail", &[LOGFMT, SYSLOG].join("\n"));
    std::os::unix::fs::symlink(binary(), folder.path().join("loghost")).expect("a link of ours");
    let (broker, url) = start_embedded();
    // The one that a command publishes to instead of the severities'.
    Outside::connect(&url).declare_exchange("app", ExchangeKind::Topic);
    for command in commands {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .env("LOGHOST_AMQP_URL", &url)
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && printed.contains("confirmed"), "{command}\n{printed}{said}");
        // Each of these lines has a severity of its own.
        assert!(!said.contains("without a severity"), "{command}\n{said}");
    }
    drop(broker.end_by(Signal::Terminate));
}
