//! What commands say beside their results, with its names and numbers.

use lapin::ExchangeKind;
use serde_json::{Value, json};

use super::{events, only};
use crate::support::broker::Broker;
use crate::support::cli::Loghost;
use crate::support::dead_letters::dead_letters;
use crate::support::publish::publish;
use crate::support::tracked;

/// What became of logs that were not published as they should have been is told with their numbers.
pub(super) fn tells_what_publishing_meets(broker: &Broker) {
    let publish = |arguments: &[&str]| broker.loghost(["publish", "--log-format", "json"]).args(arguments);
    let events = |publish: Loghost, status| events(&publish.end().exits(status));
    let unroutable = events(publish(&["error", "a"]), 0);
    let unroutable = only(&unroutable, "unroutable");
    let logs = json!({ "debug": 0, "info": 0, "error": 1, "critical": 0 });
    assert_eq!((&unroutable["level"], &unroutable["logs"]), (&json!("warn"), &logs));
    assert_eq!(unroutable["exchange"], Value::Null, "it is that of its severity: {unroutable}");
    let exchange = format!("{}.unbound", broker.prefix());
    broker.outside().declare_exchange(&exchange, ExchangeKind::Topic);
    let mut to = publish(&["--stdin", "--severity", "error", "--to", &exchange]).start();
    to.write_line("a");
    to.says("\"first_unroutable\"");
    let to = super::events(&to.end().exits(0));
    for name in ["first_unroutable", "unroutable"] {
        let unroutable = only(&to, name);
        assert_eq!((&unroutable["exchange"], &unroutable["logs"]), (&json!(exchange), &logs), "{to:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let journal = |file: &str| folder.path().join(file).display().to_string();
    let growing = |journal: &str, multiline: &[&str]| {
        let growing = publish(&["--stdin", "--decode", "text", "--journal", journal]).args(multiline);
        events(growing.stdin("short\nlo"), 0)
    };
    let unsent = growing(&journal("lines"), &[]);
    let line = only(&unsent, "not_sent");
    assert_eq!((&line["logs"], &line["lines"]), (&json!(1), &json!([2])), "{line}");
    assert_eq!(line["input"], "standard input", "{line}");
    let unsent = growing(&journal("logs"), &["--multiline"]);
    assert_eq!(only(&unsent, "not_sent")["lines"], json!([]), "its line is not known");
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
pub(super) fn tells_what_a_look_meets(broker: &Broker) {
    let told = |command: &str, arguments: &[&str], status| {
        let output =
            broker.loghost([command]).args(["--log-format", "json"]).args(arguments).end().exits(status);
        events(&output)
    };
    let list = dead_letters(broker, "list", ["nobody", "--log-format", "json"]);
    let none = events(&list.end().exits(0));
    assert_eq!(only(&none, "no_dead_letters")["consumer"], "nobody");
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
    let missing: Vec<String> = (0..22).map(|n| format!("{}-missing-{n}", broker.prefix())).collect();
    let missing = missing.iter().map(String::as_str);
    let arguments: Vec<&str> = ["--for", "10ms", "amq.topic"].into_iter().chain(missing).collect();
    let sources = told("sources", &arguments, 1);
    let looking = only(&sources, "looking_at_exchanges");
    assert_eq!((&looking["seconds"], &looking["count"]), (&json!(0.01), &json!(1)), "{looking}");
    assert!(looking["address"].as_str().is_some_and(|url| url.starts_with("amqp://")), "{looking}");
    assert_eq!(only(&sources, "others_not_looked_at")["count"], 2, "{sources:?}");
}

/// Which offsets are read is told as numbers.
pub(super) fn tells_what_is_read_of_the_past(broker: &Broker) {
    let plugin = tracked("plugins/error.wasm");
    let declare = ["run", "--declare-only", "--queue-type", "stream"];
    broker.loghost(declare).unless_ephemeral(&[]).arg(&plugin).end().exits(0);
    publish(broker, &["a", "b"].map(str::to_owned));
    let replay = broker.loghost(["replay", "--log-format", "json", "--from", "first"]).arg(&plugin);
    let events = events(&replay.end().exits(0));
    let span = json!({ "stream": broker.exchange("error"), "from": 0, "until": 2 });
    assert_eq!(only(&events, "replaying")["streams"], json!([span]));
}
