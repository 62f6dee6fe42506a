//! The files of `host/deploy`: each is what the program that reads it takes, and names what loghost has.

mod containers;
mod systemd;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind};
use crate::support::cli::Signal;
use crate::support::guest::{Then, guest};
use crate::support::http::{Answer, Http};
use crate::support::{Need, Skip, needing, repository};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        needing("deploy::prometheus_takes_the_alerts", prometheus_takes_the_alerts),
        needing("deploy::prometheus_takes_what_the_dashboard_asks", prometheus_takes_what_the_dashboard_asks),
        needing("deploy::alerts_and_dashboard_are_on_metrics_that_exist", metrics_exist),
    ];
    trials.extend(containers::trials());
    trials.extend(systemd::trials());
    trials
}

fn file(path: &str) -> PathBuf {
    repository().join("host/deploy").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(file(path)).expect("a readable file")
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

fn promtool(folder: &Path, arguments: &[&str]) -> Result<Output, Skip> {
    let run = Command::new("promtool").args(arguments).current_dir(folder).output();
    run.map_err(|_| Skip::new(Need::Promtool, "promtool is not installed: apt-get install prometheus"))
}

/// The rules, and when each fires; and the configuration that names them.
fn prometheus_takes_the_alerts() -> Result<(), Skip> {
    succeeds(&promtool(&file("prometheus"), &["check", "rules", "alerts.yml"])?);
    succeeds(&promtool(&file("prometheus"), &["test", "rules", "alerts_test.yml"])?);
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["prometheus/alerts.yml", "compose/prometheus.yml"] {
        let name = file(path).file_name().expect("a name").to_owned();
        fs::copy(file(path), folder.path().join(name)).expect("a folder of ours");
    }
    succeeds(&promtool(folder.path(), &["check", "config", "prometheus.yml"])?);
    // Each alert is among the tests.
    let (rules, tests) = (text("prometheus/alerts.yml"), text("prometheus/alerts_test.yml"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 5, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not tested");
    }
    Ok(())
}

/// What the panels of the dashboard ask Prometheus.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text("grafana/loghost.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    targets.map(|target| target["expr"].as_str().expect("a query").to_owned()).collect()
}

/// As rules: nothing else has it read queries.
fn prometheus_takes_what_the_dashboard_asks() -> Result<(), Skip> {
    let asked = queries();
    assert!(asked.len() >= 15, "{asked:?}");
    let rules: Vec<Value> = asked
        .iter()
        .zip(1..)
        .map(|(query, n)| {
            let query =
                query.replace("$__rate_interval", "1m").replace("$consumer", ".*").replace("$job", ".*");
            assert!(!query.contains('$'), "a variable that Grafana does not have: {query}");
            json!({ "record": format!("query:{n}"), "expr": query })
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    // JSON is YAML.
    let file = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    fs::write(folder.path().join("rules.yml"), file).expect("a folder of ours");
    succeeds(&promtool(folder.path(), &["check", "rules", "rules.yml"])?);
    Ok(())
}

/// A run that shows each metric that an alert or a panel is on: also those of what goes wrong.
fn metrics_exist() -> Result<(), Skip> {
    let (rules, asked) = (text("prometheus/alerts.yml"), queries());
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let prefixes = ["loghost_", "process_"];
    let named: BTreeSet<&str> = asked
        .iter()
        .chain([&rules])
        .flat_map(|text| text.split(|c| !is_part(c)))
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect();
    assert!(named.len() >= 15, "{named:?}");

    let broker = Broker::new(Kind::Stream)?;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("strict").processes().on("no", Then::Reject("no".to_owned())).write(folder.path());
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0"]).arg(&plugin).start();
    run.says("consuming from");
    broker.loghost(["publish", "error", "no"]).end().exits(0);
    fs::write(&plugin, "no plugin").expect("a file of ours");
    run.signal(Signal::Hangup);
    run.says("not reloaded, the old one goes on");
    let shows = |answer: &Answer, metric: &str| {
        let samples = [format!("{metric}{{"), format!("{metric} ")];
        answer.body.lines().any(|line| samples.iter().any(|sample| line.starts_with(sample)))
    };
    for metric in named {
        Http::of(&run).get_until("/metrics", |answer| shows(answer, metric));
    }
    Ok(())
}
