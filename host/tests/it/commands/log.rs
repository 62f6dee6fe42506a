//! The log on standard error as JSON: `--log-format json`.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on, on_each, start_again, start_embedded};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::dead_letters::dead_letters;
use crate::support::guest::{Does, Then, declare, guest};
use crate::support::publish::publish;
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each("log::tells_what_a_consumer_does", tells_what_a_consumer_does);
    trials.extend(on([Kind::Embedded], "log::is_quiet_unless_asked", is_quiet_unless_asked));
    trials.extend(on([Kind::Embedded], "log::tells_what_a_plugin_writes", tells_what_a_plugin_writes));
    trials.extend(on_each("log::tells_what_a_run_begins_with", tells_what_a_run_begins_with));
    trials.extend(on([Kind::Embedded], "log::tells_what_publishing_meets", tells_what_publishing_meets));
    trials.extend(on([Kind::Embedded], "log::tells_what_a_look_meets", tells_what_a_look_meets));
    trials.extend(on([Kind::Stream], "log::tells_what_is_read_of_the_past", tells_what_is_read_of_the_past));
    trials.push(test("log::tells_what_tools_write", tells_what_tools_write));
    trials.push(test("log::tells_what_a_connection_does", tells_what_a_connection_does));
    trials.push(test("log::tells_why_a_command_fails", tells_why_a_command_fails));
    trials
}

/// Every line is an object that says when, how much it matters, what it is and in which words.
#[track_caller]
fn events(output: &Output) -> Vec<Value> {
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["time", "level", "event", "message"] {
            assert!(event[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {line}");
        }
        let time = event["time"].as_str().expect("a time");
        assert!(humantime::parse_rfc3339(time).is_ok(), "{line}");
        event
    };
    output.stderr.lines().map(event).collect()
}

fn tells_what_a_consumer_does(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let frail = guest("frail").on("bad", Then::Do(Does::Panic)).write(folder.path());
    declare(broker, std::slice::from_ref(&frail));
    publish(broker, &["good", "bad \u{1b}[2J", "good"].map(str::to_owned));
    let output =
        broker.loghost(["run", "--log-format", "json", "--max-logs", "3"]).arg(&frail).end().exits(0);
    let events = events(&output);
    let begins =
        |event: &Value| event["message"].as_str().is_some_and(|text| text.starts_with("consuming from"));
    assert!(events.iter().any(|event| begins(event) && event["level"] == "info"), "{output}");
    let of_it = |event: &&Value| event["consumer"] == "frail" && event["event"] == "failed";
    let failed = events.iter().find(of_it).expect("it failed at one");
    assert_eq!((&failed["level"], &failed["severity"]), (&json!("warn"), &json!("error")), "{failed}");
    assert!(failed["error"].as_str().is_some_and(|error| error.starts_with("panicked")), "{failed}");
    assert!(failed["id"].as_str().is_some_and(|id| id.starts_with("loghost:")), "{failed}");
    assert!(!output.stderr.contains('\u{1b}'), "nothing of a log reaches a terminal raw: {output}");
}

/// Each batch is said with `-v`, with figures, and otherwise not.
fn is_quiet_unless_asked(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let strict = guest("strict").on("bad", Then::Reject("no".to_owned())).write(folder.path());
    declare(broker, std::slice::from_ref(&strict));
    let run = |arguments: &[&str]| {
        publish(broker, &["good", "bad"].map(str::to_owned));
        let run = broker.loghost(["run", "--log-format", "json", "--max-logs", "2"]).args(arguments);
        let output = run.arg(&strict).end().exits(0);
        let of_it = events(&output).into_iter().filter(|event| event["consumer"] == "strict");
        of_it.collect::<Vec<Value>>()
    };
    let quiet = run(&[]);
    assert!(quiet.iter().all(|event| event["level"] != "debug"), "{quiet:?}");
    let verbose = run(&["-v"]);
    let sum = |name: &str, figure: &str| -> u64 {
        let of_name = verbose.iter().filter(|event| event["event"] == name && event["level"] == "debug");
        of_name.map(|event| event[figure].as_u64().expect("a figure")).sum()
    };
    for (name, figure) in [("received", "deliveries"), ("processed", "logs"), ("committed", "deliveries")] {
        assert_eq!(sum(name, figure), 2, "{name}: {verbose:?}");
    }
    let dead = verbose.iter().find(|event| event["event"] == "dead_lettered");
    assert_eq!(dead.expect("a dead letter")["cause"], "rejected");
    let people = broker.loghost(["run", "-v", "--until-idle", "100ms"]).arg(&strict).end().exits(0);
    people.says("[strict] opens its queue: version 1; logs counted before: 0");
}

/// A connection that is lost and made again is events with figures; so is that a consumer consumes, which people are told
/// in one line for all.
fn tells_what_a_connection_does() {
    let (embedded, url) = start_embedded();
    let plugin = tracked("plugins/error.wasm");
    let run = loghost(["run", "--log-format", "json", "--broker", &url]).arg(&plugin).start();
    let has_said = |event: &str, times: usize| {
        let event = format!("\"event\":\"{event}\"");
        run.has_said(|said| said.matches(&event).count() >= times);
    };
    has_said("consuming", 1);
    drop(embedded.end_by(Signal::Kill));
    has_said("connection_failed", 1);
    let _embedded = start_again(&url);
    has_said("reconnected", 1);
    has_said("consuming", 2);
    let output = run.end_by(Signal::Terminate).exits(0);
    let events = events(&output);
    let first = |name: &str| {
        let mut all = events.iter().filter(|event| event["purpose"] == "consuming");
        all.find(|event| event["event"] == name).unwrap_or_else(|| panic!("no {name}: {output}"))
    };
    let begins = |event: &Value, key: &str, start: &str| {
        assert!(event[key].as_str().is_some_and(|text| text.starts_with(start)), "{event}");
    };
    let is_time = |event: &Value, key: &str| {
        assert!(event[key].as_f64().is_some_and(|seconds| seconds > 0.0), "{event}");
    };
    let connected = first("connected");
    assert_eq!((&connected["level"], &connected["failed_attempts"]), (&json!("info"), &json!(0)));
    begins(first("connection_lost"), "cause", "lost the connection to the broker at");
    let failed = first("connection_failed");
    begins(failed, "cause", "no broker at");
    is_time(failed, "retry_after_seconds");
    let reconnected = first("reconnected");
    is_time(reconnected, "outage_seconds");
    assert_eq!(reconnected["address"], connected["address"]);
    let consuming = events.iter().filter(|event| event["event"] == "consuming");
    assert!(consuming.map(|event| &event["consumer"]).eq([&json!("error"); 2]), "{output}");
}

/// The only event of this name.
#[track_caller]
fn only<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let named: Vec<&Value> = events.iter().filter(|event| event["event"] == name).collect();
    let [event] = named[..] else { panic!("not one {name}: {events:?}") };
    event
}

/// Each line that a plugin writes is an event with its text; people see the same line with the plugin's name.
fn tells_what_a_plugin_writes(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let chatty = guest("chatty").logs(1, "begins").logs(2, "odd \u{1b}[2J").write(folder.path());
    let run = |arguments: &[&str]| {
        let run = broker.loghost(["run", "--until-idle", "100ms"]).args(arguments);
        run.arg("chatty.wasm").folder(folder.path()).end().exits(0)
    };
    assert!(chatty.is_file());
    let output = run(&["--log-format", "json"]);
    let events = events(&output);
    let written: Vec<&Value> = events.iter().filter(|event| event["event"] == "plugin_log").collect();
    let [begins, odd] = written[..] else { panic!("two lines: {output}") };
    assert_eq!((&begins["level"], &begins["text"]), (&json!("info"), &json!("begins")));
    assert_eq!((&begins["consumer"], &begins["message"]), (&json!("chatty.wasm"), &json!("plugin: begins")));
    assert_eq!((&odd["level"], &odd["text"]), (&json!("warn"), &json!("odd \u{1b}[2J")));
    assert!(!output.stderr.contains('\u{1b}'), "nothing of a plugin reaches a terminal raw: {output}");
    run(&[]).says("chatty.wasm] plugin: begins\n");
}

/// What a host says as it begins and ends has its names beside the words.
fn tells_what_a_run_begins_with(broker: &Broker) {
    let plugin = tracked("plugins/error.wasm");
    let told = |arguments: &[&str]| {
        let run = broker.loghost(["run", "--log-format", "json"]).args(arguments).arg(&plugin);
        events(&run.end().exits(0))
    };
    let declared = told(&["--declare-only"]);
    let declared = only(&declared, "declared");
    assert_eq!(declared["queue"], broker.queue("error"), "{declared}");
    assert_eq!((&declared["severities"], &declared["standing_by"]), (&json!(["error"]), &json!(false)));
    let ran = told(&["--until-idle", "100ms"]);
    let consuming = only(&ran, "consuming_from");
    assert!(consuming["address"].as_str().is_some_and(|url| url.starts_with("amqp://")), "{consuming}");
    assert!(consuming["queues"][0].as_str().is_some_and(|queue| queue.contains("error")), "{consuming}");
    let stateless = only(&ran, "without_state");
    assert_eq!((&stateless["level"], &stateless["keeping"]), (&json!("warn"), &json!([])));
}

/// What became of logs that were not published as they should have been is told with their numbers.
fn tells_what_publishing_meets(broker: &Broker) {
    let publish = |arguments: &[&str]| broker.loghost(["publish", "--log-format", "json"]).args(arguments);
    let events = |publish: Loghost, status| events(&publish.end().exits(status));
    let unroutable = events(publish(&["error", "a"]), 0);
    let unroutable = only(&unroutable, "unroutable");
    let logs = json!({ "debug": 0, "info": 0, "error": 1, "critical": 0 });
    assert_eq!((&unroutable["level"], &unroutable["logs"]), (&json!("warn"), &logs));
    let mut lines = vec![b'a'; 16 * 1024 * 1024 + 1];
    lines.extend(b"\nshort\n");
    let skipped = events(publish(&["--stdin", "--decode", "text"]).stdin(lines), 65);
    let line = only(&skipped, "line_skipped");
    assert_eq!((&line["line"], &line["most_bytes"]), (&json!(1), &json!(16 * 1024 * 1024)));
    assert_eq!(only(&skipped, "lines_skipped")["lines"], 1);
    let undetermined = only(&skipped, "undetermined");
    assert_eq!((&undetermined["logs"], &undetermined["severity"]), (&json!(1), &json!("info")));
}

/// What commands that look at a broker could not see, or have seen nothing of, is told with its names.
fn tells_what_a_look_meets(broker: &Broker) {
    let told = |command: &str, arguments: &[&str], status| {
        let output =
            broker.loghost([command]).args(["--log-format", "json"]).args(arguments).end().exits(status);
        events(&output)
    };
    let list = dead_letters(broker, "list", ["nobody", "--log-format", "json"]);
    let none = events(&list.end().exits(0));
    assert_eq!(only(&none, "no_dead_letters")["of"], "nobody");
    let recorded = told("record", &["--for", "10ms"], 0);
    assert_eq!(only(&recorded, "recorded")["recorded"], 0);
    let exchanges = only(&recorded, "looking")["exchanges"].clone();
    let all = ["debug", "info", "error", "critical"].map(|severity| broker.exchange(severity));
    assert_eq!(exchanges, json!(all));
    let rules = ["--bind", "shop=error", "--bind", "shop=critical"];
    let looked = told("record", &[&["--for", "10ms"][..], &rules].concat(), 0);
    let unused = only(&looked, "rule_unused");
    assert_eq!((&unused["rule"], &unused["other"]), (&json!("shop=critical"), &json!("shop=error")));
    let sources = told("sources", &["--for", "10ms"], 1);
    assert!(only(&sources, "exchanges_unknown")["exchanges"].is_array(), "{sources:?}");
    assert_eq!(only(&sources, "looking")["seconds"], 0.01);
}

/// Which offsets are read is told as numbers.
fn tells_what_is_read_of_the_past(broker: &Broker) {
    let plugin = tracked("plugins/error.wasm");
    let declare = ["run", "--declare-only", "--queue-type", "stream"];
    broker.loghost(declare).unless_ephemeral(&[]).arg(&plugin).end().exits(0);
    publish(broker, &["a", "b"].map(str::to_owned));
    let replay = broker.loghost(["replay", "--log-format", "json", "--from", "first"]).arg(&plugin);
    let events = events(&replay.end().exits(0));
    let span = json!({ "stream": broker.exchange("error"), "from": 0, "until": 2 });
    assert_eq!(only(&events, "replaying")["streams"], json!([span]));
}

/// The files that a command has written are named.
fn tells_what_tools_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = |arguments: &[&str]| {
        let command = loghost(["--log-format", "json"]).args(arguments).folder(folder.path());
        events(&command.end().exits(0))
    };
    assert_eq!(only(&told(&["config", "init"]), "configuration_written")["file"], "loghost.toml");
    assert_eq!(only(&told(&["man", "pages"]), "manual_written")["folder"], "pages");
    assert_eq!(only(&told(&["plugin", "new", "error"]), "bundled_name")["name"], "error");
}

fn tells_why_a_command_fails() {
    let output = loghost(["--log-format", "json", "report", "--state", "nowhere"]).end().exits(65);
    let told = events(&output);
    let [event] = &told[..] else { panic!("one line: {output}") };
    assert_eq!((&event["level"], &event["event"]), (&json!("error"), &json!("error")));
    assert!(event["message"].as_str().is_some_and(|text| text.starts_with("there is no state in nowhere")));
    let arguments = [&["publish", "--log-format", "json"][..], &["run", "--log-format=json", "--sate", "x"]];
    let by_variable = loghost(["run", "--sate", "x"]).env("LOGHOST_LOG_FORMAT", "json");
    for refused in arguments.map(loghost).into_iter().chain([by_variable]) {
        let output = refused.end().exits(2);
        let told = events(&output);
        let [event] = &told[..] else { panic!("one line: {output}") };
        assert_eq!(event["event"], "error");
        assert!(event["message"].as_str().is_some_and(|text| text.contains("Usage: loghost")), "{output}");
    }
}
