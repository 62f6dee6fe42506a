//! The log on standard error as JSON: `--log-format json`.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on, on_each, start_again, start_embedded};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::guest::{Does, Then, declare, guest};
use crate::support::publish::publish;
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each("log::tells_what_a_consumer_does", tells_what_a_consumer_does);
    trials.extend(on([Kind::Embedded], "log::is_quiet_unless_asked", is_quiet_unless_asked));
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

fn tells_why_a_command_fails() {
    let output = loghost(["--log-format", "json", "report", "--state", "nowhere"]).end().exits(65);
    let events = events(&output);
    let [event] = &events[..] else { panic!("one line: {output}") };
    assert_eq!((&event["level"], &event["event"]), (&json!("error"), &json!("error")));
    assert!(event["message"].as_str().is_some_and(|text| text.starts_with("there is no state in nowhere")));
}
