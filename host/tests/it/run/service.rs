//! A run as a service: what whoever manages it is told, over the socket of `sd_notify(3)`.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::support::TIMEOUT;
use crate::support::broker::{Broker, Kind, on, start_embedded};
use crate::support::cli::{Loghost, Running, Signal, loghost};
use crate::support::guest::{Does, Then, guest};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::MOST, "service::is_ready_reloads_and_stops", is_ready_reloads_and_stops),
        on([Kind::Embedded], "service::names_those_that_have_ended", names_those_that_have_ended),
        on([Kind::Embedded], "service::a_reload_that_is_refused_ends_as_well", a_refused_reload_ends_as_well),
        on(
            [Kind::Embedded],
            "service::the_watchdog_hears_of_a_slow_plugin",
            the_watchdog_hears_of_a_slow_plugin,
        ),
        vec![test("service::is_not_ready_without_a_broker", is_not_ready_without_a_broker)],
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whoever manages the service, and what it has been told.
struct Manager {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket of ours");
        Self { folder, socket, told: Vec::new() }
    }

    /// Has it started by this manager.
    fn starts(&self, loghost: Loghost) -> Running {
        loghost.env("NOTIFY_SOCKET", self.folder.path().join("notify")).start()
    }

    /// Waits for a message that has this line, and returns it.
    #[track_caller]
    fn hears(&mut self, line: &str) -> String {
        let deadline = Instant::now() + TIMEOUT;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            let Some(message) = self.next(left) else { break };
            self.told.push(message.clone());
            if message.lines().any(|it| it == line) {
                return message;
            }
        }
        panic!("it was not told `{line}`, but {:?}", self.told);
    }

    /// All that it has been told.
    fn has_heard(&mut self) -> &[String] {
        while let Some(message) = self.next(Duration::from_millis(1)) {
            self.told.push(message);
        }
        &self.told
    }

    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).expect("a time to wait");
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).expect("a text"))
    }
}

fn is_ready_reloads_and_stops(broker: &Broker) {
    let mut manager = Manager::new();
    let run = manager.starts(broker.loghost(["run"]).arg(tracked("plugins/error.wasm")));
    manager.hears("READY=1");
    manager.hears("STATUS=1 consuming");
    // Only once it consumes.
    run.says("consuming from");

    run.signal(Signal::Hangup);
    let reloading = manager.hears("RELOADING=1");
    let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("a time");
    assert!(since.parse::<u64>().is_ok_and(|since| since > 0), "{reloading}");
    manager.hears("READY=1");

    let mut other_manager = Manager::new();
    let other = other_manager.starts(broker.loghost(["run"]).arg(tracked("plugins/error.wasm")));
    other_manager.hears("READY=1");
    other_manager.hears("STATUS=1 standing by (error)");

    run.signal(Signal::Terminate);
    manager.hears("STOPPING=1");
    run.end().exits(0);
    other_manager.hears("STATUS=1 consuming");
    other.end_by(Signal::Terminate).exits(0);
    let stops = other_manager.has_heard().iter().filter(|message| message.starts_with("STOPPING=1\n"));
    assert_eq!(stops.count(), 1, "{:?}", other_manager.told);
}

/// Also when it begins again.
fn names_those_that_have_ended(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let hindered = guest("hindered").write(folder.path());
    let queue = broker.queue("hindered");
    broker.outside().listen(&queue, &broker.exchange("error"));
    let mut manager = Manager::new();
    let run = broker.loghost(["run"]).arg(tracked("plugins/error.wasm")).arg(hindered);
    let run = manager.starts(run);
    manager.hears("STATUS=1 consuming, 1 ended (hindered)");
    broker.outside().delete(&queue);
    run.signal(Signal::Hangup);
    manager.hears("STATUS=2 consuming");
    run.end_by(Signal::Terminate).exits(78);
}

fn a_refused_reload_ends_as_well(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("good").write(folder.path());
    let mut manager = Manager::new();
    let run = manager.starts(broker.loghost(["run"]).arg(&plugin));
    manager.hears("READY=1");
    std::fs::write(&plugin, "no plugin").expect("a file of ours");
    run.signal(Signal::Hangup);
    manager.hears("RELOADING=1");
    manager.hears("READY=1");
    run.says("not reloaded, the old one goes on");
    run.end_by(Signal::Terminate).exits(0);
}

/// Its call takes longer than the watchdog waits, and may.
fn the_watchdog_hears_of_a_slow_plugin(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("slow").processes().on("slow", Then::Do(Does::Loop)).write(folder.path());
    let mut manager = Manager::new();
    let run = broker.loghost(["run", "--time-limit", "10m", "--grace", "1ms"]).arg(plugin);
    let run = manager.starts(run.env("WATCHDOG_USEC", "200000"));
    manager.hears("READY=1");
    broker.loghost(["publish", "error", "slow", "--require-route"]).end().exits(0);
    // It has the log, and does not give it back.
    broker.outside().wait_for_depth(&broker.queue("slow"), 0);
    manager.has_heard();
    for _ in 0..5 {
        manager.hears("WATCHDOG=1");
    }
    // Also while nobody reads any more, it ends when it is asked to.
    run.end_by(Signal::Terminate).exits(69).says("could not finish within 1ms");
    manager.hears("STOPPING=1");
}

fn is_not_ready_without_a_broker() {
    let (gone, url) = start_embedded();
    drop(gone.end_by(Signal::Kill));
    let mut manager = Manager::new();
    let run = loghost(["run", "--retry-for", "1m", "--broker", &url]).arg(tracked("plugins/error.wasm"));
    let run = manager.starts(run);
    manager.hears("STATUS=starting");
    run.says("trying again in");
    // A reload cannot make it ready.
    run.signal(Signal::Hangup);
    run.has_said(|said| said.matches("trying again in").count() > 3);
    run.end_by(Signal::Terminate).exits(0);
    let told = manager.has_heard();
    assert!(!told.iter().any(|message| message.contains("READY=1")), "{told:?}");
}
