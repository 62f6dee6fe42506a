//! What a scenario expects, and what a run printed.

use std::collections::BTreeMap;
use std::fs;

use loghost_core::domain::scenario::{Step, steps};
use serde_json::{Value, json};

use super::cli::{Output, Running};
use super::tracked;

/// The bundled consumers, in the order of their names.
pub(crate) const CONSUMERS: [&str; 4] = ["all", "critical", "debug-info", "error"];

/// Metrics by consumer.
pub(crate) type Metrics = BTreeMap<String, String>;

/// The metric that each consumer must print for a scenario, word for word.
#[track_caller]
pub(crate) fn expected(scenario: &str) -> Metrics {
    let text = fs::read_to_string(tracked(scenario)).expect("a readable file");
    let metrics: Metrics = steps(&text)
        .filter_map(|step| match step.expect("a correct scenario") {
            Step::Expect(expectation) => Some((expectation.consumer.to_string(), expectation.text)),
            Step::Logs { .. } => None,
        })
        .collect();
    assert!(metrics.keys().eq(CONSUMERS), "{scenario} expects {metrics:?}");
    metrics
}

/// The last metric of each consumer in what `run` printed as text.
pub(crate) fn last_of_text(stdout: &str) -> Metrics {
    let mut last = Metrics::new();
    let mut consumer = "";
    for line in stdout.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            consumer = name;
            last.insert(name.to_owned(), String::new());
        } else {
            let text = last.entry(consumer.to_owned()).or_default();
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
        }
    }
    last
}

/// The text of the last metric of each consumer in what `run` printed as JSON; its counts must agree with the text.
#[track_caller]
pub(crate) fn last_of_json(output: &Output) -> Metrics {
    let mut last = Metrics::new();
    for metric in output.json() {
        let name = metric["consumer"].as_str().expect("the name of a consumer");
        let text = metric["text"].as_str().expect("the plugin's words");
        let counts = metric["counts"].as_object().expect("a number for each severity");
        assert_eq!(counts.len(), 4, "{metric}");
        for line in text.lines() {
            let (word, number) = line.split_once(' ').expect("a word and a number");
            let counted = counts.get(word).map_or_else(
                || counts.values().filter_map(serde_json::Value::as_u64).sum(),
                |count| count.as_u64().expect("a number"),
            );
            assert_eq!(number.trim(), counted.to_string(), "`{line}` of {metric}");
        }
        last.insert(name.to_owned(), text.to_owned());
    }
    last
}

/// The total in a consumer's metric, if there is one.
pub(crate) fn total(metrics: &Metrics, consumer: &str) -> Option<u64> {
    metrics.get(consumer)?.lines().last()?.strip_prefix("total")?.trim().parse().ok()
}

pub(crate) fn tally([debug, info, error, critical]: [u64; 4]) -> Value {
    json!({"debug": debug, "info": info, "error": error, "critical": critical})
}

/// The numbers of errors in a metric: accepted, and rejected.
pub(crate) fn errors(metric: &Value) -> [u64; 2] {
    ["counts", "rejected"].map(|counts| metric[counts]["error"].as_u64().unwrap_or_default())
}

/// The last metric of a consumer in what a run has printed as JSON.
pub(crate) fn last_of(stdout: &str, consumer: &str) -> Value {
    let mut metrics = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    metrics.rfind(|metric| metric["consumer"] == consumer).unwrap_or_default()
}

/// Waits until a consumer of a run has accepted and rejected this many errors.
#[track_caller]
pub(crate) fn counts(run: &Running, consumer: &str, expected: [u64; 2]) {
    run.has_printed(|so_far| errors(&last_of(so_far, consumer)) == expected);
}
