//! Streams beside classic queues: of the same logs of three producers, the four consumers of both count the same.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Running, Signal};
use crate::support::metrics::{CONSUMERS, last_of, last_of_json, tally};
use crate::support::{self, Need, Skip, repository, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![support::long("streams::count_what_queues_count", count_what_queues_count)]
}

/// How long two million logs may take, each of which is published twice and counted four times.
const TIMEOUT: Duration = Duration::from_hours(2);

/// The shares of the severities, in tenths.
const TENTHS: [(&str, u64); 4] = [("debug", 4), ("info", 3), ("error", 2), ("critical", 1)];

fn count_what_queues_count() -> Result<(), Skip> {
    match Command::new("python3").args(["-c", "import pika, rstream"]).output() {
        Ok(output) if output.status.success() => {}
        _ => return Err(Skip::new(Need::Python, "python3 has no pika or no rstream: see .ci/run")),
    }
    // Of each producer; together 60,000 or 2,000,010.
    let tenth = support::sized(2_000, 66_667);
    let (queues, streams) = (Broker::new(Kind::RabbitMq4)?, Broker::new(Kind::Stream)?);
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = [&queues, &streams].map(|broker| run(broker, &folder.path().join(broker.prefix())));

    let file = folder.path().join("logs.txt");
    let logs = TENTHS.map(|(severity, tenths)| format!("{severity} x{} @db-1: log\n", tenths * tenth));
    fs::write(&file, logs.concat()).expect("a file in a folder of ours");
    thread::scope(|scope| {
        for broker in [&queues, &streams] {
            scope.spawn(|| {
                let publish = broker.loghost(["publish", "--require-route", "--file"]).arg(&file).start();
                publish.end_within(TIMEOUT).exits(0).prints(&format!("total {}", 10 * tenth));
            });
        }
        for way in ["amqp", "gzip"] {
            let (queues, streams) = (&queues, &streams);
            scope.spawn(move || publish_twice((queues, streams), way, tenth));
        }
    });

    let counts = TENTHS.map(|(_, tenths)| 3 * tenths * tenth);
    for host in &hosts {
        host.has_printed_within(TIMEOUT, |so_far| {
            counted(so_far, "all") == counts.iter().sum::<u64>()
                && counted(so_far, "debug-info") == counts[0] + counts[1]
                && counted(so_far, "error") == counts[2]
                && counted(so_far, "critical") == counts[3]
        });
    }
    let [queues, streams] = hosts.map(|host| host.end_by(Signal::Terminate).exits(0));
    assert_eq!(last_of_json(&queues), last_of_json(&streams), "{queues}\n{streams}");
    for output in [&queues, &streams] {
        let all = last_of(&output.stdout, "all");
        assert_eq!((&all["counts"], &all["repeated"]), (&tally(counts), &0.into()), "{output}");
        // What has ids is what loghost has published.
        assert_eq!(all["without_id"], 20 * tenth, "{output}");
    }
    Ok(())
}

/// The four consumers.
#[track_caller]
fn run(broker: &Broker, state: &Path) -> Running {
    let run = broker.loghost(["run", "--every", "1s", "--format", "json", "--state"]);
    let run = run.arg(state).arg(tracked("plugins")).start();
    run.says("consuming from");
    run
}

/// How many logs a consumer has counted.
fn counted(so_far: &str, consumer: &str) -> u64 {
    assert!(CONSUMERS.contains(&consumer), "{consumer}");
    let counts = &last_of(so_far, consumer)["counts"];
    TENTHS.iter().filter_map(|(severity, _)| counts[severity].as_u64()).sum()
}

/// Another client publishes the same logs for both.
fn publish_twice((queues, streams): (&Broker, &Broker), way: &str, tenth: u64) {
    let script = repository().join("host/tests/it/clients/twice.py");
    let port = streams.stream_port().expect("the stream protocol").to_string();
    let mut publish = Command::new("python3");
    publish.arg(script).args([queues.url(), &port, way]);
    for (severity, tenths) in TENTHS {
        let logs = (tenths * tenth).to_string();
        publish.args([queues.exchange(severity), streams.exchange(severity), logs]);
    }
    let output = publish.output().expect("it started before");
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(said.trim(), format!("published {}", 10 * tenth), "{errors}");
}
