//! SIGHUP, as a closing terminal sends it: long-running commands end with their report, as at SIGTERM. To a run it is a wish to
//! reload, unless its terminal has gone.

use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::broker::{Broker, Kind, start_embedded};
use crate::support::cli::{Loghost, Signal, loghost};
use crate::support::guest::{Does, guest};
use crate::support::{Skip, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("hangup::a_publisher_reports", a_publisher_reports),
        needing("hangup::a_run_reloads_from_the_first_moment", a_run_reloads_from_the_first_moment),
        needing("hangup::a_run_ends_with_its_terminal", a_run_ends_with_its_terminal),
        needing("hangup::a_run_outlives_its_terminal_where_that_is_wanted", a_run_outlives_its_terminal),
        needing("hangup::a_bench_leaves_nothing_behind", a_bench_leaves_nothing_behind),
        test("hangup::a_broker_ends", a_broker_ends),
    ]
}

fn a_publisher_reports() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let (outside, queue) = (broker.outside(), format!("{}-kept", broker.prefix()));
    outside.listen(&queue, &broker.exchange("info"));
    let mut publish = broker.loghost(["publish", "--stdin", "--severity", "info"]).start();
    publish.write_line("a");
    outside.take(&queue);
    // The terminal brings one, and the shell another.
    publish.signal(Signal::Hangup);
    publish.signal(Signal::Hangup);
    // Before its standard input ends, which is another reason to end.
    publish.says("interrupted");
    publish.end_by(Signal::Hangup).exits(0).prints("total 1");
    Ok(())
}

fn a_run_reloads_from_the_first_moment() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let run = broker.loghost(["run"]).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    run.signal(Signal::Hangup);
    run.says("reloaded: version");
    run.end_by(Signal::Terminate).exits(0);

    // While it loads its plugins.
    let folder = tempfile::tempdir().expect("a folder");
    let slow =
        guest("slow").logs(1, "is configured").when_configured(Does::LoopMillions(300)).write(folder.path());
    let run = broker.loghost(["run", "--time-limit", "1m"]).arg(slow).start();
    run.says("slow.wasm] plugin: is configured");
    run.signal(Signal::Hangup);
    run.says("consuming from");
    run.says("[slow] reloaded: version");
    run.end_by(Signal::Terminate).exits(0);

    // While it waits for its broker.
    let (gone, url) = start_embedded();
    drop(gone.end_by(Signal::Kill));
    let run =
        loghost(["run", "--retry-for", "1m", "--broker", &url]).arg(tracked("plugins/error.wasm")).start();
    run.says("trying again in");
    run.signal(Signal::Hangup);
    run.has_said(|said| said.matches("trying again in").count() > 5);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

const SIZE: (u16, u16) = (100, 30);

/// A run that has no metric to write for a long time, on a terminal.
fn run(broker: &Broker, state: &Path) -> Loghost {
    let run = broker.loghost(["run", "--every", "1h", "--state"]).arg(state);
    run.arg(tracked("plugins/error.wasm"))
}

/// Publishes a log, which is counted.
fn publish(broker: &Broker) {
    broker.loghost(["publish", "error", "text"]).end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("error"), 0);
}

/// How many logs there are in a state.
#[track_caller]
fn counted(state: &Path) -> Value {
    let report = loghost(["report", "--format", "json", "--state"]).arg(state).end().exits(0);
    report.json()[0]["counts"]["error"].clone()
}

/// At once, with what it has counted: a view, lines, and lines that go to a file.
fn a_run_ends_with_its_terminal() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let [view, lines, file, job] = ["view", "lines", "file", "job"].map(|name| folder.path().join(name));
    let to_a_file = format!("exec >{}.out", file.display());
    for (run, state) in [
        (run(&broker, &view), &view),
        (run(&broker, &lines).arg("--plain"), &lines),
        (run(&broker, &file).after(&to_a_file), &file),
    ] {
        let mut terminal = run.on_terminal(SIZE);
        terminal.has_written("consuming");
        publish(&broker);
        terminal.close();
        let status = terminal.wait();
        assert_eq!(status.code(), Some(0), "{terminal}");
        assert_eq!(counted(state), 1, "{terminal}");
    }
    let metric = std::fs::read_to_string(file.with_extension("out")).expect("its output");
    assert!(metric.ends_with("total     1\n"), "{metric}");

    // The shell passes it on.
    let mut terminal = run(&broker, &job).typed_at_shell("", SIZE);
    terminal.shows(", 1 consuming");
    publish(&broker);
    terminal.close();
    broker.outside().wait_until_unconsumed(&broker.queue("error"));
    Ok(())
}

/// As with `nohup`.
fn a_run_outlives_its_terminal() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let [state, log] = ["state", "log"].map(|name| folder.path().join(name));
    broker.loghost(["run", "--declare-only"]).arg(tracked("plugins/error.wasm")).end().exits(0);
    let nohup = format!("trap '' HUP; exec >/dev/null 2>{}", log.display());
    let mut terminal = run(&broker, &state).after(&nohup).on_terminal(SIZE);
    publish(&broker);
    terminal.close();
    publish(&broker);
    terminal.signal("TERM");
    assert_eq!(terminal.wait().code(), Some(0), "{terminal}");
    assert_eq!(counted(&state), 2);
    let log = std::fs::read_to_string(log).expect("its log");
    assert!(log.contains("[error] reloaded: version") && log.contains("ending: "), "{log}");
    Ok(())
}

fn a_bench_leaves_nothing_behind() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let bench = loghost(["bench", "consume", "--logs", "1000000", "--broker", broker.url()]);
    let bench = bench.args(["--prefix", broker.prefix()]).start();
    bench.says("warming up");
    bench.end_by(Signal::Hangup).exits(69).says("interrupted").does_not_say("left behind");
    Ok(())
}

fn a_broker_ends() {
    let (broker, _) = start_embedded();
    broker.end_by(Signal::Hangup).exits(0);
}
