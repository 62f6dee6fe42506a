//! Prometheus itself: what its tool says of the metrics, and what it has after a scrape.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::PUBLISH;
use crate::support::broker::{Broker, Kind};
use crate::support::cli::Signal;
use crate::support::guest::{Then, guest};
use crate::support::http::Http;
use crate::support::{Need, Skip, TIMEOUT, needing, tracked};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        needing("listen::promtool_finds_no_fault", promtool_finds_no_fault),
        needing("listen::prometheus_scrapes", prometheus_scrapes),
    ]
}

/// The program of this name, if it is installed.
fn program(name: &str) -> Result<Command, Skip> {
    let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(Command::new(name));
    }
    Err(Skip::new(Need::Promtool, format!("{name} is not installed (Debian's package prometheus)")))
}

/// Has promtool read metrics, and finds that it has nothing to say about them.
pub(super) fn promtool_accepts(metrics: &str) -> Result<(), Skip> {
    let mut promtool = program("promtool")?;
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = promtool.spawn().expect("what is installed starts");
    let mut stdin = checking.stdin.take().expect("a pipe");
    stdin.write_all(metrics.as_bytes()).expect("it reads");
    drop(stdin);
    let output = checking.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{metrics}");
    Ok(())
}

/// Also of names and texts that are hostile.
fn promtool_finds_no_fault() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let hostile = guest("hostile").version("1\"\\} 2\n\u{1b}").severities(&["error"]);
    let hostile = hostile
        .measurement("open", &[("of", "1\"\\} 2\n\u{1b}")], "gauge", f64::MAX)
        .measurement("open", &[], "gauge", f64::MIN_POSITIVE)
        .measurement("x_total", &[], "gauge", 1.0)
        .measurement("x\ny", &[("a\"b", "")], "counter", f64::NAN);
    let file = hostile.on("", Then::Reject("no".to_owned())).write(folder.path());
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0"]).arg(file).arg(tracked("plugins/error.wasm"));
    let run = run.start();
    run.says("consuming from");
    let http = Http::of(&run);
    broker.loghost(PUBLISH).stdin("a\n".repeat(10)).end().exits(0);
    http.shows(r#"loghost_dead_letters_total{consumer="hostile",cause="rejected"} 10"#);
    http.shows(r#"loghost_queue_messages_ready{consumer="error"} 0"#);
    http.shows(r#"loghost_measures_dropped{consumer="hostile",reason="name"} 2"#);
    let metrics = http.get("/metrics", &[]).body;
    promtool_accepts(&metrics)?;
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// A process that is killed when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Prometheus of the test's own, in this folder, that scrapes `target`; and its address.
fn scraping(mut prometheus: Command, folder: &Path, target: Http) -> (Killed, Http) {
    let config = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs:\n- job_name: loghost\n  static_configs:\n  \
         - targets: ['{}']\n",
        target.address()
    );
    let file = folder.join("prometheus.yml");
    fs::write(&file, config).expect("a file in a folder of ours");
    // Free when it was asked for; that nobody takes it until then is likely.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    prometheus.arg(format!("--config.file={}", file.display()));
    prometheus.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    prometheus.arg(format!("--web.listen-address={port}")).stdout(Stdio::null()).stderr(Stdio::null());
    (Killed(prometheus.spawn().expect("what is installed starts")), Http::at(port))
}

fn prometheus_scrapes() -> Result<(), Skip> {
    let prometheus = program("prometheus")?;
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("looks").severities(&["error"]).processes().write(folder.path());
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0", "--max-batch", "1"]).arg(plugin).start();
    run.says("consuming from");
    let http = Http::of(&run);
    broker.loghost(PUBLISH).stdin("a\n".repeat(7)).end().exits(0);
    let (running, prometheus) = scraping(prometheus, folder.path(), http);
    for (query, expected) in [
        ("up", "1"),
        ("loghost_logs_finished_total%7Boutcome%3D%22accepted%22%2Cseverity%3D%22error%22%7D", "7"),
        ("loghost_process_duration_seconds_count", "7"),
        ("loghost_process_duration_seconds_bucket%7Ble%3D%22%2BInf%22%7D", "7"),
        ("loghost_process_duration_seconds_sum%20%3E%20bool%200", "1"),
        ("loghost_build_info", "1"),
        ("loghost_queue_messages_ready", "0"),
    ] {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let answer = prometheus.try_get(&format!("/api/v1/query?query={query}"));
            let value = answer.as_ref().and_then(|answer| {
                let json: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
                json["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
            });
            if value.as_deref() == Some(expected) {
                break;
            }
            assert!(Instant::now() < deadline, "{query} is not {expected}: {answer:#?}");
            // It tells nobody when it has scraped.
            thread::sleep(Duration::from_millis(50));
        }
    }
    drop(running);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}
