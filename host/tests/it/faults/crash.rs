//! Hosts, the broker or producers are killed at random moments under load. In the end every count is exact, and
//! nothing that was confirmed is missing. Logs without ids are counted once from streams, by their offsets.
//!
//! `LOGHOST_SEED=N` repeats the random numbers of a run that failed; the moments are then about the same.

mod anonymous;
mod host;
mod leader;
mod producers;

use std::collections::VecDeque;
use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use libtest_mimic::Trial;
use serde_json::Value;

use self::host::{Host, run};
use self::producers::{Ids, Producers, Tally, WithJournals, tally};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::guest::guest;
use crate::support::metrics::{CONSUMERS, last_of_json};
use crate::support::rabbitmq::{self, Node, Setup};
use crate::support::{self, Skip, needing, tracked};

/// What is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    /// The host that consumes, if there are several.
    Host,
    Broker,
    /// Both of them.
    Producers,
}

/// Who consumes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plugins {
    /// The four consumers that the host counts for.
    Bundled,
    /// One that counts for itself as well, in its checkpoint.
    Keeping,
}

#[derive(Clone, Copy)]
struct Case {
    plugins: Plugins,
    hosts: usize,
    killed: Killed,
    kills: usize,
    /// How many logs there are, at least.
    logs: usize,
    ids: Ids,
}

impl Case {
    /// The brokers on which its counts are exact.
    fn kinds(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| match kind {
            // It has nothing when it comes back.
            Kind::Embedded if self.killed == Killed::Broker => false,
            kind => self.ids == Ids::Given || matches!(kind, Kind::Stream | Kind::Stream3),
        })
    }

    /// The same with as many kills as a broker of this kind comes back from.
    fn on(self, kind: Kind) -> Self {
        match kind {
            // From the second one on, RabbitMQ 3.10 may not find the leaders of its streams again: its log has `invalid_epoch` and
            // `rabbit_stream_coordinator: member started unexpected`, and it takes nothing for them any more.
            Kind::Stream3 if self.killed == Killed::Broker => Self { kills: 1, ..self },
            _ => self,
        }
    }
}

const HOST: Case = Case {
    plugins: Plugins::Bundled,
    hosts: 1,
    killed: Killed::Host,
    kills: 20,
    logs: 200_000,
    ids: Ids::Given,
};
const BROKER: Case = Case { killed: Killed::Broker, kills: 5, ..HOST };
const ACTIVE_HOST: Case = Case { hosts: 2, kills: 5, ..HOST };

/// The long tests: the end of the name, and the case.
const CASES: [(&str, Case); 8] = [
    ("host", HOST),
    ("broker", BROKER),
    ("producers", Case { killed: Killed::Producers, kills: 10, ..HOST }),
    ("active_host", ACTIVE_HOST),
    ("host_of_a_plugin_with_a_state", Case { plugins: Plugins::Keeping, ..HOST }),
    ("host_without_ids", Case { ids: Ids::Absent, ..HOST }),
    ("broker_without_ids", Case { ids: Ids::Absent, ..BROKER }),
    ("active_host_without_ids", Case { ids: Ids::Absent, ..ACTIVE_HOST }),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = leader::trials();
    for (killed, full) in CASES {
        for kind in full.kinds() {
            let full = full.on(kind);
            let small = Case { kills: full.kills.min(3), logs: 4000, ..full };
            let name = format!("{}::crash::of_the_{killed}", kind.name());
            if Kind::LONG.contains(&kind) {
                trials.push(support::long(&name, move || crash(kind, full)));
            }
            trials.push(needing(name, move || crash(kind, small)));
        }
    }
    trials
}

/// Far more than a part of the logs takes on a busy machine, or the broker to come back.
const TIMEOUT: Duration = Duration::from_mins(5);
/// Within this, the other host has taken over.
const TAKEOVER: Duration = Duration::from_secs(15);

fn crash(kind: Kind, case: Case) -> Result<(), Skip> {
    let (mut node, broker) = match kind.version().filter(|_| case.killed == Killed::Broker) {
        Some(version) => {
            let node = rabbitmq::private(version, Setup::default())?;
            let broker = Broker::on(kind, &node);
            (Some(node), broker)
        }
        None => (None, Broker::new(kind)?),
    };
    let seed = Seed::new();
    let mut random = Rng::with_seed(seed.0);
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = case.plugins.file(folder.path());
    let states = (1..=case.hosts).map(|n| folder.path().join(format!("state-{n}")));
    let consumers = case.plugins.consumers();
    let start = |state| Host::start(&broker, &plugins, consumers, state);
    let mut hosts: VecDeque<Host> = states.map(start).collect();
    node.iter().for_each(Node::store_topology);
    let producers = Producers::new((&broker, case.ids), folder.path(), case.kills + 1, case.logs);

    for part in 1..=case.kills {
        let mut publishing = producers.start(part);
        // Logs of this part, if one host counts all; what another one has counted is not known exactly.
        let before = if case.hosts == 1 { producers.sent(part - 1) } else { hosts[0].seen };
        hosts[0].counts(before + random.u64(1..=producers.sent(1)));
        // A metric is written between two batches; the pause makes the moment of the kill random.
        thread::sleep(Duration::from_micros(random.u64(..50_000)));
        match case.killed {
            Killed::Host => kill_the_first(&mut hosts, start),
            Killed::Broker => node.iter_mut().for_each(crash_and_restart),
            Killed::Producers => {
                drop(publishing);
                publishing = producers.start(part);
            }
        }
        publishing.end();
    }
    producers.complete();

    let states: Vec<PathBuf> = hosts.iter().map(|host| host.state.clone()).collect();
    for host in hosts {
        host.running.end_by(Signal::Terminate).exits(0);
    }
    let rest = run(&broker, &plugins, &states[0]).args(["--until-idle", "3s"]).start();
    let output = rest.end_within(TIMEOUT).exits(0);
    // This first: if something is missing, it says what.
    if let Producers::WithJournals(producers) = &producers {
        check_report(&states, producers, case);
    }
    // Of a queue, each of several hosts counts a part.
    if case.hosts == 1 || broker.is_stream() {
        case.plugins.check(&output, &producers.expected());
    }
    for consumer in case.plugins.consumers() {
        assert_eq!(broker.outside().depth(&broker.queue(consumer)), Some(0), "the queue of {consumer}");
    }
    Ok(())
}

fn crash_and_restart(node: &mut Node) {
    node.kill();
    node.restart();
}

/// Kills the host that consumes, and starts it again; another one, if there is one, has taken over then, and
/// it stands by.
#[track_caller]
fn kill_the_first(hosts: &mut VecDeque<Host>, start: impl Fn(PathBuf) -> Host) {
    let Some(Host { state, seen, running }) = hosts.pop_front() else { return };
    running.end_by(Signal::Kill);
    let killed = Instant::now();
    if let Some(other) = hosts.front() {
        other.running.has_taken_over(&CONSUMERS);
        let passed = killed.elapsed();
        assert!(passed < TAKEOVER, "took over after {passed:?}: {}", other.running);
    }
    let again = Host { seen, ..start(state) };
    if !hosts.is_empty() {
        again.running.has_said(|said| said.matches("standing by").count() == CONSUMERS.len());
    }
    hosts.push_back(again);
}

/// `loghost report` misses nothing, and what was counted, but for what was counted twice, is what was sent.
#[track_caller]
fn check_report(states: &[PathBuf], producers: &WithJournals<'_>, case: Case) {
    let mut report = loghost(["report", "--format", "json"]);
    for state in states {
        report = report.arg("--state").arg(state);
    }
    for journal in [&producers.file_journal, &producers.lines_journal] {
        report = report.arg("--journal").arg(journal);
    }
    let output = report.end().exits(0);
    let balances = output.json();
    assert_eq!(balances.len(), case.plugins.consumers().len(), "{output}");
    for balance in balances {
        let consumer = balance["consumer"].as_str().expect("a name");
        let expected = wanted(consumer, &producers.expected());
        let (counts, twice) = (tally(&balance["counts"]), tally(&balance["counted_twice"]));
        let once: Tally =
            counts.iter().map(|(severity, n)| (severity.clone(), n - twice[severity])).collect();
        assert_eq!(once, expected, "{consumer}: {output}");
        assert!(case.hosts > 1 || twice.values().all(|n| *n == 0), "{consumer}: {output}");
        for none in ["missing", "rejected", "skipped"] {
            assert!(tally(&balance[none]).values().all(|n| *n == 0), "{consumer}, {none}: {output}");
        }
        assert_eq!(balance["without_id"], 0, "{consumer}: {output}");
    }
}

/// What of `logs` a consumer wants.
fn wanted(consumer: &str, logs: &Tally) -> Tally {
    let wants = |severity: &str| match consumer {
        "debug-info" => ["debug", "info"].contains(&severity),
        "error" | "critical" => severity == consumer,
        _ => true,
    };
    logs.iter().map(|(severity, n)| (severity.clone(), if wants(severity) { *n } else { 0 })).collect()
}

impl Plugins {
    /// What `run` is given.
    fn file(self, folder: &Path) -> PathBuf {
        match self {
            Self::Bundled => tracked("plugins"),
            Self::Keeping => guest("keeping").keeps_count().write(folder),
        }
    }

    fn consumers(self) -> &'static [&'static str] {
        match self {
            Self::Bundled => &CONSUMERS,
            Self::Keeping => &["keeping"],
        }
    }

    /// The last metric of each tells, in the host's counts and in the plugin's words, of the logs of `sent` that
    /// it wants.
    #[track_caller]
    fn check(self, output: &Output, sent: &Tally) {
        for consumer in self.consumers() {
            let of_it = |metric: &Value| metric["consumer"] == *consumer;
            let last = output.json().into_iter().rfind(of_it).expect("a metric");
            assert_eq!(tally(&last["counts"]), wanted(consumer, sent), "{consumer}: {output}");
            if self == Self::Keeping {
                let count = sent.values().sum::<u64>().to_string();
                assert_eq!(last["text"], count, "its own count: {output}");
            }
        }
        if self == Self::Bundled {
            last_of_json(output);
        }
    }
}

/// What the random numbers come from; is printed if the test fails.
struct Seed(u64);

impl Seed {
    fn new() -> Self {
        let given = env::var_os("LOGHOST_SEED").map(|seed| {
            let number = seed.to_str().and_then(|seed| seed.parse().ok());
            number.expect("LOGHOST_SEED is a number")
        });
        Self(given.unwrap_or_else(|| fastrand::u64(..)))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("LOGHOST_SEED={}", self.0);
        }
    }
}
