//! The files of `host/deploy`: each is what the program that reads it takes, and names what loghost has.

mod containers;
mod dashboard;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::Trial;

use crate::support::{Need, Skip, needing, repository};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![needing("deploy::prometheus_takes_the_alerts", prometheus_takes_the_alerts)];
    trials.extend(dashboard::trials());
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
