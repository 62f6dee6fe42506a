//! The log on standard error as JSON: `--log-format json`.

mod beside;

use std::fs;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use self::beside::{tells_what_a_look_meets, tells_what_is_read_of_the_past, tells_what_publishing_meets};
use crate::support::broker::{Broker, Kind, on, on_each, start_again, start_embedded};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::gate::Gate;
use crate::support::guest::{Does, Then, declare, guest};
use crate::support::http::Http;
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
    trials.push(test("log::tells_readers_of_rules", tells_readers_of_rules));
    trials.push(test("log::tells_what_tools_write", tells_what_tools_write));
    trials.push(test("log::tells_what_a_connection_does", tells_what_a_connection_does));
    trials.push(test("log::tells_why_a_command_fails", tells_why_a_command_fails));
    trials.push(test("log::is_as_configured", is_as_configured));
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
    assert_eq!(declared["consumer"], "error", "{declared}");
    assert_eq!((&declared["severities"], &declared["standing_by"]), (&json!(["error"]), &json!(false)));
    let ran = told(&["--until-idle", "100ms"]);
    let consuming = only(&ran, "consuming_from");
    assert!(consuming["address"].as_str().is_some_and(|url| url.starts_with("amqp://")), "{consuming}");
    let reads = |queue: Option<&str>, streams: &[&str], also_from: &[&str]| json!([{ "consumer": "error", "queue": queue, "streams": streams, "also_from": also_from }]);
    let (queue, stream) = (broker.queue("error"), broker.exchange("error"));
    let (named, text, reading) = if broker.is_stream() {
        (reads(None, &[&stream], &[]), format!(": error (the stream {stream})"), "streams")
    } else {
        (reads(Some(&queue), &[], &[]), format!(": error ({queue})"), "queues")
    };
    let ends = |event: &Value, text: &str| {
        assert!(event["message"].as_str().is_some_and(|message| message.ends_with(text)), "{event}");
    };
    assert_eq!(consuming["consumers"], named, "{consuming}");
    ends(consuming, &text);
    let stateless = only(&ran, "without_state");
    assert_eq!((&stateless["level"], &stateless["keeping"]), (&json!("warn"), &json!([])));
    assert_eq!(stateless["reading"], reading);
    if !broker.is_stream() {
        let copies = told(&["--until-idle", "100ms", "--ephemeral", "--bind", "amq.topic=error"]);
        let consuming = only(&copies, "consuming_from");
        assert_eq!(consuming["consumers"], reads(None, &[], &["amq.topic"]), "{consuming}");
        ends(consuming, ": error (a queue of its own, and --bind takes from amq.topic)");
    }
}

/// What is wrong with the rules of a run, and what it consumes, comes to whoever reads what happens over HTTP as well.
fn tells_readers_of_rules() {
    let (_embedded, url) = start_embedded();
    let port = url.rsplit_once(':').and_then(|(_, port)| port.split('/').next()?.parse().ok());
    let gate = Gate::new(port.expect("a port"), 0);
    let rules = ["--bind", "amq.topic=error", "--bind", "amq.topic=critical"];
    let run = loghost(["run", "--listen", "127.0.0.1:0", "--broker", &format!("amqp://{}", gate.address())]);
    let run = run.args(rules).arg(tracked("plugins/error.wasm")).start();
    let events = Http::of(&run).events();
    gate.open();
    let data = events.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let mut data = data.map(|data| serde_json::from_str::<Value>(&data).expect("JSON"));
    let names = [json!("rule_unused"), json!("consuming_from")];
    let mut next = || data.find(|event| names.contains(&event["event"])).expect("it is told");
    let unused = next();
    assert_eq!(unused["event"], names[0]);
    let consuming = next();
    assert_eq!((&unused["rule"], &unused["level"]), (&json!("amq.topic=critical"), &json!("warn")));
    assert_eq!(consuming["consumers"][0]["also_from"], json!(["amq.topic"]), "{consuming}");
    run.end_by(Signal::Terminate).exits(0);
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

/// By the variable for every command, by the file for those that have one, and by the argument, which is the strongest.
fn is_as_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = "log-format = \"json\"\nbroker = \"amqp://127.0.0.1:1\"\n";
    fs::write(folder.path().join("loghost.toml"), file).expect("a file of ours");
    let is_json = |output: &Output| assert_eq!(only(&events(output), "error")["level"], "error", "{output}");
    let tail: &[&str] = &["tail", "--severity", "error"];
    let run: &[&str] = &["run", "nowhere.wasm"];
    for command in [&["report", "--state", "nowhere"][..], &["plugin", "inspect", "nowhere.wasm"], run] {
        is_json(&loghost(command).env("LOGHOST_LOG_FORMAT", "json").end());
    }
    for command in [run, tail] {
        let in_folder = || loghost(command).folder(folder.path());
        is_json(&in_folder().end());
        let by_argument = in_folder().args(["--log-format", "text"]).end();
        let by_variable = in_folder().env("LOGHOST_LOG_FORMAT", "text").end();
        for output in [by_argument, by_variable] {
            output.says("Z error ").does_not_say("\"event\"");
        }
    }
}
