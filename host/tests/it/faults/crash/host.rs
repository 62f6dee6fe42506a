//! A host that keeps its state, and what it is known to have counted.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::TIMEOUT;
use super::producers::tally;
use crate::support::broker::Broker;
use crate::support::cli::{Loghost, Running};

/// `loghost run --state`, that has not been started.
pub(super) fn run(broker: &Broker, plugins: &Path, state: &Path) -> Loghost {
    let run = broker.loghost(["run", "--every", "20ms", "--format", "json", "--state"]);
    run.arg(state).arg(plugins)
}

/// `loghost run --state`.
pub(super) struct Host {
    pub(super) state: PathBuf,
    /// How many logs its first consumer is known to have counted.
    pub(super) seen: u64,
    pub(super) running: Running,
}

impl Host {
    /// Starts one, and waits until each of its consumers consumes or stands by: what is published before one has opened its
    /// streams for the first time is not meant for it.
    #[track_caller]
    pub(super) fn start(broker: &Broker, plugins: &Path, consumers: &[&str], state: PathBuf) -> Self {
        let running = run(broker, plugins, &state).start();
        running.has_said(|said| consumers.iter().all(|name| said.lines().any(|line| opens(line, name))));
        Self { state, seen: 0, running }
    }

    /// Waits until its first consumer has counted this many.
    #[track_caller]
    pub(super) fn counts(&mut self, least: u64) {
        self.running.has_printed_within(TIMEOUT, |so_far| counted(so_far) >= least);
        self.seen = counted(&self.running.stdout_so_far());
    }
}

/// Whether a line says that this consumer has opened its source: at the start, with the others, or later.
fn opens(line: &str, name: &str) -> bool {
    let later = format!("[{name}] ");
    (line.contains("consuming from") && line.contains(&format!(" {name} (")))
        || (line.contains(&later) && ["consuming", "standing by"].iter().any(|text| line.contains(text)))
}

/// What the first consumer has counted, as its last metric tells.
fn counted(so_far: &str) -> u64 {
    let of_it =
        |line: &&str| ["all", "keeping"].iter().any(|n| line.contains(&format!("\"consumer\":\"{n}\"")));
    let last = so_far.lines().rfind(of_it).map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    last.map_or(0, |metric| tally(&metric["counts"]).values().sum())
}
