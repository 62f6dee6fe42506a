//! Figures that plugins have of their own: in `/metrics`, with each metric as JSON, and what a plugin that fails at them costs.

use std::collections::BTreeSet;
use std::fs;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Signal, loghost};
use crate::support::guest::{Does, guest};
use crate::support::http::Http;
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    [
        vec![
            test("measures::inspect_shows_what_is_left_out", inspect_shows_what_is_left_out),
            test("measures::a_call_is_bound", a_call_is_bound),
        ],
        on([Kind::Embedded], "measures::are_asked_for_at_a_scrape", are_asked_for_at_a_scrape),
        on([Kind::Embedded], "measures::are_in_each_metric", are_in_each_metric),
        on([Kind::Embedded], "measures::a_name_of_two_kinds_is_said", two_kinds_are_said),
        on([Kind::Embedded], "measures::a_failure_costs_no_log", a_failure_costs_no_log),
        on([Kind::Embedded], "measures::a_loop_costs_no_log", a_loop_costs_no_log),
        on([Kind::Embedded], "measures::a_reload_may_bring_them", a_reload_may_bring_them),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const LISTEN: [&str; 3] = ["run", "--listen", "127.0.0.1:0"];
const PUBLISH: [&str; 5] = ["publish", "--stdin", "--severity", "error", "--require-route"];

/// The value of this sample, in the older text format.
fn value(http: Http, sample: &str) -> Option<f64> {
    let metrics = http.get("/metrics", &[]).body;
    metrics.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

/// Each once a second at most, and with the figures of the moment.
fn are_asked_for_at_a_scrape(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let many = guest("many").measurement("open", &[("at", "db \"1\"\n")], "gauge", -1.5);
    let many = (0..600).fold(many, |many, n| many.measurement("n", &[("n", &n.to_string())], "gauge", 0.0));
    let run = broker.loghost(LISTEN).arg(many.write(folder.path())).arg(tracked("plugins/error.wasm"));
    let run = run.start();
    run.says("consuming from");
    let http = Http::of(&run);
    let answer = http.shows(r#"loghost_plugin_open{consumer="many",at="db \"1\"\n"} -1.5"#);
    assert!(
        answer.has_line(r#"loghost_measures_dropped{consumer="many",reason="too_many"} 102"#),
        "{answer:#?}"
    );
    assert!(answer.has_line("# TYPE loghost_plugin_asked_total counter"), "{answer:#?}");
    let asked = || value(http, r#"loghost_plugin_asked_total{consumer="many"}"#).expect("a number");
    let (before, begin) = (asked(), std::time::Instant::now());
    let mut scrapes = 0;
    while asked() < before + 2.0 {
        scrapes += 1;
    }
    assert!(begin.elapsed() >= std::time::Duration::from_secs(1), "asked twice after {:?}", begin.elapsed());
    assert!(scrapes > 2, "it was asked at each of {scrapes} scrapes");
    run.end_by(Signal::Terminate).exits(0).does_not_say("[many]");
}

/// At the end as they are then, and only of plugins that have some.
fn are_in_each_metric(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        guest("few").measurement("open", &[("at", "a")], "gauge", 2.5).measurement("é", &[], "gauge", 1.0);
    let files = [file.write(folder.path()), guest("none").write(folder.path())];
    broker.loghost(["run", "--declare-only"]).args(&files).end().exits(0);
    broker.loghost(PUBLISH).stdin("a\nb\n").end().exits(0);
    let output = broker.loghost(["run", "--format", "json", "--max-logs", "2"]).args(&files).end().exits(0);
    let last = |name: &str| {
        let metrics = output.json();
        metrics.into_iter().rfind(|metric| metric["consumer"] == name).expect("a metric")
    };
    let measures = last("few")["measures"].clone();
    let asked = measures["values"][0]["value"].as_f64().expect("a number");
    assert!(asked >= 2.0, "at the beginning, and at the end: {measures}");
    let expected = json!({
        "values": [
            { "name": "asked", "labels": {}, "kind": "counter", "value": asked },
            { "name": "open", "labels": { "at": "a" }, "kind": "gauge", "value": 2.5 },
        ],
        "dropped": { "name": 1 },
        "error": null,
    });
    assert_eq!(measures, expected);
    assert_eq!(last("none").get("measures"), None);
    assert_eq!(
        last("few").as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>(),
        documented()
    );
}

/// The keys that the page for authors has of a metric of a plugin that did not fail.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(tracked("host/doc/writing-plugins.md")).expect("a page");
    let (_, section) = page.split_once("### The metric as JSON\n").expect("a section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let keys = cells.flat_map(|cell| cell.split(',').map(|key| key.trim().trim_matches('`').to_owned()));
    keys.filter(|key| key != "error").collect()
}

/// Of two plugins, only the figures of one are shown.
fn two_kinds_are_said(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [("a", "gauge"), ("b", "counter")]
        .map(|(name, kind)| guest(name).measurement("seen", &[], kind, 2.0).write(folder.path()));
    let run = broker.loghost(LISTEN).args(&files).start();
    run.says("[b] its measure `seen` is a counter, that of a a gauge");
    let http = Http::of(&run);
    let answer = http.shows(r#"loghost_plugin_seen{consumer="a"} 2.0"#);
    assert!(answer.has_line(r#"loghost_measures_dropped{consumer="b",reason="kind"} 1"#), "{answer:#?}");
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.stderr.matches("its measure `seen`").count(), 1, "{output}");
}

fn inspect_shows_what_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("few").measurement("-", &[], "gauge", 1.0).write(folder.path());
    let output = loghost(["plugin", "inspect"]).arg(&file).end().exits(0);
    output.prints("measures    1 value at first; left out: 1 (name)").prints("loghost:plugin/measures@0.1.0");
    let output = loghost(["plugin", "inspect", "--format", "json"]).arg(&file).end().exits(0);
    let shown = output.json().pop().expect("an object");
    assert_eq!(shown["measures"]["dropped"], json!({ "name": 1 }), "{shown}");
    let none = loghost(["plugin", "inspect", "--format", "json"]).arg(tracked("plugins/error.wasm")).end();
    assert_eq!(none.exits(0).json().pop().expect("an object")["measures"], Value::Null);
}

fn a_call_is_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    for (does, words) in [
        (Does::Loop, "measure: took longer than 500ms (--time-limit)"),
        (Does::AllocateForever, "measure: used more than 64.0 MiB of memory (--max-memory)"),
        (Does::Recurse, "measure: used more than 512.0 KiB of stack (--max-stack)"),
    ] {
        let file = guest("greedy").when_measuring(does).write(folder.path());
        let inspect = loghost(["plugin", "inspect", "--time-limit", "500ms"]).arg(&file);
        inspect.end().exits(65).says(words);
    }
    let long = guest("greedy").measurement(&"x".repeat(2 << 20), &[], "gauge", 1.0).write(folder.path());
    let words = "measure: handed more than 1.0 MiB to the host in one call (--max-output)";
    loghost(["plugin", "inspect"]).arg(&long).end().exits(65).says(words);
}

const FAILED: &str =
    "[frail] has no figures of its own for monitoring, and is asked for some again in a minute: measure: ";

/// What it keeps between logs is as it was, and so are its counts.
fn a_failure_costs_no_log(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let frail = guest("frail").keeps_count().when_measuring(Does::Panic).write(folder.path());
    let run = broker.loghost(LISTEN).args(["--format", "json", "--every", "10ms"]).arg(frail).start();
    run.says("consuming from");
    run.says(&format!("{FAILED}panicked"));
    let http = Http::of(&run);
    broker.loghost(PUBLISH).stdin("a\n".repeat(10)).end().exits(0);
    let counted = |text: &str| {
        let metrics = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        metrics.into_iter().any(|metric| metric["text"] == "10" && metric["counts"]["error"] == 10)
    };
    run.has_printed(counted);
    http.shows(r#"loghost_measure_failures_total{consumer="frail"} 1"#);
    assert!(!http.get("/metrics", &[]).body.contains("loghost_plugin_"));
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.stderr.matches(FAILED).count(), 1, "{output}");
    let last = output.json().pop().expect("a metric");
    assert_eq!(last["measures"]["error"], "measure: panicked (trap: unreachable)", "{last}");
}

fn a_loop_costs_no_log(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let frail = guest("frail").processes().when_measuring(Does::Loop).write(folder.path());
    let run = broker.loghost(LISTEN).args(["--time-limit", "200ms"]).arg(frail).start();
    run.says(&format!("{FAILED}took longer than 200ms (--time-limit)"));
    let http = Http::of(&run);
    broker.loghost(PUBLISH).stdin("a\n".repeat(10)).end().exits(0);
    http.shows(r#"loghost_logs_finished_total{consumer="frail",severity="error",outcome="accepted"} 10"#);
    http.shows(r#"loghost_measure_failures_total{consumer="frail"} 1"#);
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.stderr.matches(FAILED).count(), 1, "{output}");
}

fn a_reload_may_bring_them(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("grown").write(folder.path());
    let run = broker.loghost(LISTEN).arg(&file).start();
    run.says("consuming from");
    let http = Http::of(&run);
    assert!(!http.get("/metrics", &[]).body.contains("loghost_plugin_"));
    guest("grown").version("2").measurement("open", &[], "gauge", 7.0).write(folder.path());
    run.signal(Signal::Hangup);
    run.says("reloaded: version 2");
    http.shows(r#"loghost_plugin_open{consumer="grown"} 7.0"#);
    guest("grown").version("3").write(folder.path());
    run.signal(Signal::Hangup);
    run.says("reloaded: version 3");
    http.get_until("/metrics", |answer| !answer.body.contains("loghost_plugin_"));
    run.end_by(Signal::Terminate).exits(0);
}
