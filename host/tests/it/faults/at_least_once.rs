//! `loghost run --queue-type stream` without a state, which is killed, or whose broker is, while logs come: the broker stores how far
//! was read under the name of the consumer's queue, and each confirmed log is processed at least once.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::run::streams::run;
use crate::support::broker::{Broker, Kind};
use crate::support::cli::Signal;
use crate::support::dead_letters::reject;
use crate::support::guest::{Then, guest};
use crate::support::load::Load;
use crate::support::metrics::{errors, last_of};
use crate::support::rabbitmq::{self, Node, Setup, Version};
use crate::support::{Skip, needing};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("stream::at_least_once::of_a_host_that_is_killed", || {
            at_least_once(&Broker::new(Kind::Stream)?, None);
            Ok(())
        }),
        needing("stream::at_least_once::of_a_broker_that_is_killed", of_the_broker),
    ]
}

const KILLS: usize = 4;

/// One log in so many is retried, for three seconds in all: it holds back the offset that the broker stores.
const SLOW: u64 = 20;
const RETRIES: [&str; 2] = ["--max-retries", "2"];

fn text(number: u64) -> String {
    format!("{} {number}", if number % SLOW == 1 { "slow" } else { "log" })
}

fn of_the_broker() -> Result<(), Skip> {
    let mut node = rabbitmq::private(Version::V4, Setup::default())?;
    let broker = Broker::on(Kind::Stream, &node);
    at_least_once(&broker, Some(&mut node));
    Ok(())
}

/// Kills the node, or else the host. All logs become dead letters, which tell what was processed, and outlast both.
fn at_least_once(broker: &Broker, mut node: Option<&mut Node>) {
    let folder = tempfile::tempdir().expect("a folder");
    let later = Then::Retry("not yet".to_owned());
    let picky = guest("error").severities(&["error"]).on("slow", later).on("log", reject("no"));
    let picky = picky.write(folder.path());
    let started = || {
        let host = run(broker, &picky).args(RETRIES).start();
        host.says("consuming from");
        host
    };
    let rejected = |printed: &str| errors(&last_of(printed, "error"))[1];
    let mut host = started();
    if let Some(node) = &node {
        node.store_topology();
    }
    let load = Load::start(broker, text);
    for _ in 0..KILLS {
        let next = rejected(&host.stdout_so_far()) + fastrand::u64(1..=500);
        host.has_printed(|printed| rejected(printed) >= next);
        // Each second, an offset is stored: what comes before the kill is to be any part of it.
        thread::sleep(Duration::from_millis(fastrand::u64(..1000)));
        if let Some(node) = &mut node {
            node.kill();
            node.restart();
        } else {
            host.end_by(Signal::Kill);
            host = started();
        }
    }
    let last = load.end();
    host.end_by(Signal::Terminate).exits(0);
    let rest = || {
        let rest = run(broker, &picky).args(RETRIES).args(["--until-idle", "5s"]).end().exits(0);
        rejected(&rest.stdout)
    };
    assert_ne!(rest(), 0, "some were retried when it ended");
    let dead_letters = broker.outside().take_all(&broker.dead_queue("error"));
    let processed: BTreeSet<String> =
        dead_letters.iter().map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect();
    let missed: Vec<String> = (1..=last).map(text).filter(|text| !processed.contains(text)).collect();
    assert!(missed.is_empty(), "of {last} logs, {} were missed: {missed:?}", missed.len());
    assert_eq!(rest(), 0, "it has read all");
}
