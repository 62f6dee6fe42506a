//! A million logs: every count exact, in memory that does not grow with them.

use std::fs;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Running, Signal};
use crate::support::metrics::{CONSUMERS, Metrics, last_of_text, total};
use crate::support::{self, Skip, tracked};

/// How long a million logs may take on a machine of two cores.
const TIMEOUT: Duration = Duration::from_mins(20);
/// How much more memory a million logs may take than a hundred thousand, in KiB.
const GROWTH: u64 = 16 * 1024;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        support::long("rabbitmq::a_million_logs", || a_million_logs(Kind::RabbitMq)),
        support::long("embedded::a_million_logs", || a_million_logs(Kind::Embedded)),
    ]
}

/// A hundred thousand logs, of which each consumer gets as many as [`CONSUMERS`] tells.
const LOGS: &str = "debug x40000 @cache-1: hit\n\
    info x30000 @web-1 method=GET status=200: GET /products\n\
    error x20000 @db-1 disk=sda: disk full: no space left on device\n\
    critical x10000: the database is down\n";
const COUNTS: [u64; 4] = [100_000, 10_000, 70_000, 20_000];

fn a_million_logs(kind: Kind) -> Result<(), Skip> {
    let broker = Broker::new(kind)?;
    let folder = tempfile::tempdir().expect("a folder");
    let hundred_thousand = folder.path().join("100000.txt");
    fs::write(&hundred_thousand, LOGS).expect("a file in a folder of ours");
    let the_rest = folder.path().join("900000.txt");
    fs::write(&the_rest, LOGS.repeat(9)).expect("a file in a folder of ours");

    let run = broker.loghost(["run", "--every", "1s"]).arg(tracked("plugins")).start();
    run.says("consuming from");
    let publish = |file| {
        let publish = broker.loghost(["publish", "--require-route", "--file"]).arg(file).start();
        publish.end_within(TIMEOUT).exits(0)
    };
    publish(&hundred_thousand);
    wait_for(&run, 1);
    let before = most_memory(&run);
    publish(&the_rest).prints("total 900000");
    wait_for(&run, 10);
    let after = most_memory(&run);

    let output = run.end_by(Signal::Terminate).exits(0);
    let last = last_of_text(&output.stdout);
    assert_eq!(CONSUMERS.map(|name| total(&last, name)), COUNTS.map(|n| Some(n * 10)));
    assert_eq!(
        last["all"],
        "debug     400000\ninfo      300000\nerror     200000\ncritical  100000\ntotal     1000000"
    );
    for consumer in CONSUMERS {
        assert_eq!(broker.outside().depth(&broker.queue(consumer)), Some(0), "the queue of {consumer}");
    }
    assert!(after <= before + GROWTH, "{before} KiB at 100000 logs, {after} KiB at 1000000");
    Ok(())
}

/// Waits until every consumer has counted its share so many times.
#[track_caller]
fn wait_for(run: &Running, times: u64) {
    let complete =
        |last: &Metrics| CONSUMERS.map(|name| total(last, name)) == COUNTS.map(|n| Some(n * times));
    run.has_printed_within(TIMEOUT, |so_far| complete(&last_of_text(so_far)));
}

/// The most memory that the process has ever had, in KiB.
#[track_caller]
fn most_memory(run: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", run.pid())).expect("a process on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}
