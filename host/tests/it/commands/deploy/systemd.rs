//! The service of systemd: what systemd says of the unit, and the unit as a systemd runs it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use super::{file, succeeds, text};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::loghost;
use crate::support::http::Http;
use crate::support::rabbitmq::free_port;
use crate::support::systemd::Systemd;
use crate::support::{Need, Skip, needing, test, tracked};

const UNIT: &str = "loghost.service";

pub(super) fn trials() -> Vec<Trial> {
    vec![
        needing("deploy::systemd_takes_the_service", takes_the_service),
        needing("deploy::systemd_runs_the_service", runs_the_service),
        test("deploy::the_service_is_started_with_options_that_exist", options_exist),
    ]
}

/// With a program that is there in the place of loghost, which need not be installed.
fn takes_the_service() -> Result<(), Skip> {
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join(UNIT);
    let service = text("systemd/loghost.service").replace("/usr/local/bin/loghost", "/bin/true");
    fs::write(&unit, service).expect("a file in a folder of ours");
    let verified = Command::new("systemd-analyze").arg("verify").arg(&unit).output();
    let output = verified
        .map_err(|_| Skip::new(Need::Systemd, "systemd-analyze is not installed: apt-get install systemd"))?;
    succeeds(&output);
    assert!(output.stderr.is_empty(), "{output:?}");
    // What it leaves open, of 100: the network, and memory that is written and then executed.
    let security = ["security", "--offline=true", "--no-pager", "--threshold=15"];
    let output = Command::new("systemd-analyze").args(security).arg(&unit).output();
    succeeds(&output.expect("it has just verified"));
    Ok(())
}

/// As it is, in its sandbox, as its own user: ready when it consumes, reloaded, started again by the watchdog with its counts,
/// and stopped.
fn runs_the_service() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let etc = tempfile::tempdir().expect("a folder");
    for plugin in ["error.wasm", "critical.wasm"] {
        fs::copy(tracked(&format!("plugins/{plugin}")), etc.path().join(plugin)).expect("a folder of ours");
    }
    // The service's user cannot read this: systemd hands it over.
    let password = etc.path().join("broker-password");
    fs::write(&password, "guest\n").expect("a folder of ours");
    fs::set_permissions(&password, Permissions::from_mode(0o600)).expect("a file of ours");
    let port = free_port();
    let configuration = |consumers: &[&str]| {
        let url = broker.url().replacen("guest:guest@", "guest@", 1);
        let head = format!(
            "broker = {url:?}\nprefix = {:?}\npassword-file = \"broker-password\"\nlisten = \"127.0.0.1:{port}\"\n",
            broker.prefix()
        );
        consumers
            .iter()
            .fold(head, |text, name| format!("{text}[consumers.{name}]\nplugin = \"{name}.wasm\"\n"))
    };
    fs::write(etc.path().join("loghost.toml"), configuration(&["error"])).expect("a folder of ours");
    let mut systemd = Systemd::boot(&file("systemd/loghost.service"), etc.path())?;
    let sooner = "[Service]\nRestartSec=100ms\nWatchdogSec=2\nStandardError=append:/out/service\n";
    systemd.write("/etc/systemd/system/loghost.service.d/test.conf", sooner);
    systemd.does(&["daemon-reload"]);

    systemd.does(&["start", UNIT]);
    assert_eq!(systemd.property(UNIT, "ActiveState"), "active");
    systemd.has(UNIT, "StatusText", "1 consuming");
    let http = Http::at(([127, 0, 0, 1], port).into());
    let publish = |severity| drop(broker.loghost(["publish", severity, "text"]).end().exits(0));
    let counts = |consumer: &'static str, severity: &'static str, count: u64| {
        http.get_until("/api/consumers", |answer| {
            let all: Value = serde_json::from_str(&answer.body).expect("JSON");
            let of = |it: &&Value| it["name"] == consumer;
            let found = all["consumers"].as_array().into_iter().flatten().find(of).cloned();
            found.is_some_and(|it| it["counts"]["accepted"][severity] == count)
        });
    };
    publish("error");
    counts("error", "error", 1);

    systemd.write("/etc/loghost/loghost.toml", &configuration(&["error", "critical"]));
    systemd.does(&["reload", UNIT]);
    systemd.has(UNIT, "StatusText", "2 consuming");
    publish("critical");
    counts("critical", "critical", 1);

    // A process that does nothing any more tells the watchdog nothing.
    systemd.does(&["kill", "--signal", "STOP", UNIT]);
    systemd.has(UNIT, "NRestarts", "1");
    systemd.has(UNIT, "StatusText", "2 consuming");
    publish("error");
    counts("error", "error", 2);

    systemd.does(&["stop", UNIT]);
    assert_eq!(systemd.property(UNIT, "Result"), "success");
    Ok(())
}

fn options_exist() {
    let help = loghost(["run", "--help"]).end().exits(0).stdout;
    let service = text("systemd/loghost.service");
    let start = service.lines().find(|line| line.starts_with("ExecStart=")).expect("a command");
    let options: Vec<&str> = start.split(' ').filter(|word| word.starts_with("--")).collect();
    assert_eq!(options, ["--config", "--log-format"]);
    for option in options.into_iter().chain(["--password-file", "--state"]) {
        assert!(help.contains(&format!("{option} ")), "no {option}: {help}");
    }
}
