//! Several hosts on one consumer: only the one that is active changes what comes into its queue.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::TIMEOUT;
use crate::support::broker::{Broker, Kind, on, on_each};
use crate::support::cli::{Output, Running, Signal, loghost};
use crate::support::dead_letters::list;
use crate::support::guest::{Guest, guest};
use crate::support::metrics::{last_of, tally};
use crate::support::publish::{arrives, is_unwanted};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for more in [
        on(Kind::QUEUES, "standby::binds_only_when_it_takes_over", binds_only_when_it_takes_over),
        on(Kind::QUEUES, "standby::hosts_that_start_at_once", hosts_that_start_at_once),
        on(Kind::QUEUES, "standby::the_last_of_three_takes_over", the_last_of_three_takes_over),
        on_each(
            "standby::opening_its_queue_again_gives_nobody_a_turn",
            opening_its_queue_again_gives_nobody_a_turn,
        ),
        on(Kind::QUEUES, "standby::declaring_beside_an_active_host", declaring_beside_an_active_host),
    ] {
        trials.extend(more);
    }
    trials
}

/// A host that reports and checks its topology often.
pub(super) fn run(broker: &Broker, plugin: &Path, state: &Path) -> Running {
    let run = ["run", "--format", "json", "--every", "20ms", "--check-topology-every", "200ms", "--state"];
    let running = broker.loghost(run).arg(state).arg(plugin).start();
    running.says("consuming from");
    running
}

/// What a consumer has counted, of each severity.
#[track_caller]
fn has_counted(run: &Running, consumer: &str, counts: [u64; 4]) {
    run.has_printed(|so_far| last_of(so_far, consumer)["counts"] == tally(counts));
}

#[track_caller]
pub(super) fn ends(run: Running) -> Output {
    run.end_by(Signal::Terminate).exits(0)
}

/// What `report` says of the consumer that these hosts ran in turn.
#[track_caller]
pub(super) fn report(states: &[PathBuf]) -> Value {
    let report = loghost(["report", "--format", "json"]);
    let output = states.iter().fold(report, |report, state| report.arg("--state").arg(state)).end();
    let [balance] = output.json().try_into().expect("one consumer");
    balance
}

/// Each version in a folder of its own, because they have one name.
pub(super) fn versions<const N: usize>(folder: &Path, guests: [Guest; N]) -> [PathBuf; N] {
    let mut n = 0;
    guests.map(|guest| {
        n += 1;
        let folder = folder.join(format!("version-{n}"));
        std::fs::create_dir(&folder).expect("a folder in a folder of ours");
        guest.version(&n.to_string()).write(&folder)
    })
}

fn binds_only_when_it_takes_over(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let states = ["state-1", "state-2"].map(|state| folder.path().join(state));
    let narrow = guest("turns").severities(&["error"]);
    let wide = guest("turns").severities(&["info", "error"]).sources(&["web.#", "db.#"]);
    let [narrow, wide] = versions(folder.path(), [narrow, wide]);

    let first = run(broker, &narrow, &states[0]);
    let second = run(broker, &wide, &states[1]);
    second.says("[turns] standing by");
    arrives(broker, "error", "web.1");
    is_unwanted(broker, "info", "web.1");
    // A new version that wants still more changes nothing either.
    guest("turns")
        .version("3")
        .severities(&["debug", "info", "error"])
        .write(wide.parent().expect("a folder"));
    second.signal(Signal::Hangup);
    second.says("[turns] reloaded: version 3");
    is_unwanted(broker, "debug", "web.1");
    is_unwanted(broker, "info", "web.1");
    has_counted(&first, "turns", [0, 0, 1, 0]);

    ends(first);
    second.says("[turns] consuming");
    for severity in ["debug", "info", "error"] {
        arrives(broker, severity, "api.1");
    }
    has_counted(&second, "turns", [1, 1, 1, 0]);

    let third = run(broker, &narrow, &states[0]);
    third.says("[turns] standing by");
    arrives(broker, "info", "web.1");
    has_counted(&second, "turns", [1, 2, 1, 0]);
    ends(second);
    third.says("[turns] consuming");
    is_unwanted(broker, "debug", "api.1");
    is_unwanted(broker, "info", "web.1");
    arrives(broker, "error", "web.1");
    has_counted(&third, "turns", [0, 0, 2, 0]);
    ends(third);

    let balance = report(&states);
    assert_eq!(balance["counts"], tally([1, 2, 3, 0]), "{balance}");
    for none in ["counted_twice", "missing", "rejected", "skipped"] {
        assert_eq!(balance[none], tally([0; 4]), "{none}: {balance}");
    }
    assert_eq!(broker.outside().depth(&broker.queue("turns")), Some(0));
    assert_eq!(list(broker, "turns", &[]), Vec::<Value>::new());
}

/// Of each of several consumers one host is the active one, and the bindings are what that one wants, also where
/// there was no queue before. Which one that is may differ from consumer to consumer.
fn hosts_that_start_at_once(broker: &Broker) {
    const CONSUMERS: usize = 6;
    let folder = tempfile::tempdir().expect("a folder");
    let [narrow, wide] = ["narrow", "wide"].map(|name| folder.path().join(name));
    for (plugins, severities) in [(&narrow, &["error"][..]), (&wide, &["error", "info"])] {
        std::fs::create_dir(plugins).expect("a folder in a folder of ours");
        for n in 0..CONSUMERS {
            // Each with a source of its own, so that a log is for one of them only.
            let source = format!("source-{n}");
            guest(&format!("c-{n}")).severities(severities).sources(&[&source]).write(plugins);
        }
    }
    for _round in 0..4 {
        let hosts = [&narrow, &wide].map(|plugins| {
            let run = ["run", "--format", "json", "--every", "20ms", "--check-topology-every", "200ms"];
            broker.loghost(run).arg(plugins).start()
        });
        let stands_by =
            |host: &Running, n: usize| host.stderr_so_far().contains(&format!("[c-{n}] standing by"));
        for host in &hosts {
            drop(host.says("consuming from"));
        }
        // Each is consumed by one of them, and the other one says that it stands by.
        let deadline = Instant::now() + TIMEOUT;
        for n in 0..CONSUMERS {
            while hosts.iter().all(|host| !stands_by(host, n)) {
                assert!(Instant::now() < deadline, "nobody stands by: {} {}", hosts[0], hosts[1]);
                // Which of the two processes will say it is not known: no one output can be waited for.
                thread::sleep(Duration::from_millis(10));
            }
            let [narrow, wide] = [0, 1].map(|host| stands_by(&hosts[host], n));
            assert!(narrow != wide, "c-{n}: {} {}", hosts[0], hosts[1]);
            let source = format!("source-{n}");
            arrives(broker, "error", &source);
            if wide {
                is_unwanted(broker, "info", &source);
            } else {
                arrives(broker, "info", &source);
            }
        }
        // Both at once: neither takes over.
        for host in &hosts {
            host.signal(Signal::Kill);
        }
        for n in 0..CONSUMERS {
            broker.outside().wait_until_unconsumed(&broker.queue(&format!("c-{n}")));
        }
    }
}

/// When the active host is killed, exactly one of the others takes over, also without a log that would show it.
fn the_last_of_three_takes_over(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let narrow = guest("third").severities(&["critical"]);
    let wide = guest("third").severities(&["critical", "debug"]);
    let [narrow, wide] = versions(folder.path(), [narrow, wide]);
    let first = run(broker, &narrow, &folder.path().join("state-1"));
    let others = ["state-2", "state-3"].map(|state| run(broker, &wide, &folder.path().join(state)));
    for other in &others {
        drop(other.says("[third] standing by"));
    }
    is_unwanted(broker, "debug", "web");
    first.end_by(Signal::Kill);
    let took_over = |host: &Running| host.stderr_so_far().contains("[third] consuming");
    let deadline = Instant::now() + TIMEOUT;
    while !others.iter().any(took_over) {
        assert!(Instant::now() < deadline, "nobody takes over: {} {}", others[0], others[1]);
        // As above: it may be either of them.
        thread::sleep(Duration::from_millis(10));
    }
    arrives(broker, "debug", "web");
    assert!(!others.iter().all(took_over), "{} {}", others[0], others[1]);
    for other in others {
        drop(ends(other));
    }
}

/// A host that only counts skips bodies; to dead-letter a log that it does not want, it opens its queue again with
/// bodies.
fn opening_its_queue_again_gives_nobody_a_turn(broker: &Broker) {
    const CONSUMERS: usize = 6;
    let folder = tempfile::tempdir().expect("a folder");
    for n in 0..CONSUMERS {
        guest(&format!("c-{n}")).severities(&["error"]).write(folder.path());
    }
    let run = ["run", "--format", "json", "--every", "20ms"];
    let start = || broker.loghost(run).arg(folder.path()).start();
    let active = start();
    active.says("consuming from");
    let other = start();
    other.has_said(|said| said.matches("standing by").count() == CONSUMERS);
    let outside = broker.outside();
    for n in 0..CONSUMERS {
        outside.publish("", &broker.queue(&format!("c-{n}")), b"no log", BasicProperties::default());
    }
    for n in 0..CONSUMERS {
        outside.wait_for_depth(&format!("{}.dead", broker.queue(&format!("c-{n}"))), 1);
    }
    arrives(broker, "error", "web");
    for n in 0..CONSUMERS {
        has_counted(&active, &format!("c-{n}"), [0, 0, 1, 0]);
    }
    let output = other.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.stderr.matches(": consuming\n").count(), 0, "{output}");
    drop(ends(active));
}

/// An operator may add bindings in advance: what the active host does not want goes to its dead letters. None of
/// its own is removed.
fn declaring_beside_an_active_host(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let narrow = guest("beside").severities(&["error"]).sources(&["web"]);
    let other = guest("beside").severities(&["info"]);
    let [narrow, other] = versions(folder.path(), [narrow, other]);
    let declare = |plugin: &Path| broker.loghost(["run", "--declare-only"]).arg(plugin).end().exits(0);
    declare(&narrow).does_not_say("another host consumes it");
    let active = run(broker, &narrow, &folder.path().join("state"));
    declare(&other).says("another host consumes it");
    arrives(broker, "error", "web");
    has_counted(&active, "beside", [0, 0, 1, 0]);
    arrives(broker, "info", "web");
    ends(active);
    // With nobody there, it is as at a start.
    declare(&other).does_not_say("another host consumes it");
    is_unwanted(broker, "error", "db");
    arrives(broker, "info", "db");
}
