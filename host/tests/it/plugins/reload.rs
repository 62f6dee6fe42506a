//! New versions of running plugins: they take over between two batches, with counts and state; if one is refused, the
//! old one goes on.

use std::fs;
use std::path::Path;
use std::slice::from_ref;

use libtest_mimic::Trial;
use serde_json::json;

use crate::support::broker::{Broker, Kind, on, on_all, on_each};
use crate::support::cli::{Loghost, Running, Signal, loghost};
use crate::support::dead_letters::list;
use crate::support::guest::{Guest, Then, declare, guest};
use crate::support::http::Http;
use crate::support::metrics::{counts, errors, last_of, tally};
use crate::support::publish::{arrives, is_unwanted};
use crate::support::rabbitmq::free_port;
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on_each("reload::a_hundred_under_load", a_hundred_under_load),
        on_all("reload::at_a_signal", at_a_signal),
        on(Kind::QUEUES, "reload::bindings_follow", bindings_follow),
        on_each("reload::a_counter_becomes_a_processor", a_counter_becomes_a_processor),
        on_each("reload::what_is_refused", what_is_refused),
    ]
    .into_iter()
    .flatten()
    .chain([test("reload::a_signal_before_there_is_a_broker", a_signal_before_there_is_a_broker)])
    .collect()
}

fn run(broker: &Broker, file: &Path, state: &Path) -> Loghost {
    broker.loghost(["run", "--format", "json", "--every", "20ms", "--state"]).arg(state).arg(file)
}

/// How often a run has said this.
fn times(so_far: &str, words: &str) -> usize {
    so_far.matches(words).count()
}

/// A version that is no plugin: random bytes, or so small a part of one that it exports nothing.
fn broken(plugin: &[u8]) -> Vec<u8> {
    if fastrand::bool() {
        (0..fastrand::usize(1..2000)).map(|_| fastrand::u8(..)).collect()
    } else {
        plugin[..fastrand::usize(0..plugin.len() / 3)].to_vec()
    }
}

/// Loads `reloads` versions of a plugin, every second of them broken, while logs come; fails unless each is
/// counted once. `load` makes the host look at the file.
#[track_caller]
fn under_load(broker: &Broker, reloads: u64, arguments: &[&str], look: impl Fn(&Running)) {
    const EACH: u64 = 40;
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let file = guest("steady").version("v0").keeps_count().write(folder.path());
    declare(broker, from_ref(&file));
    let run = run(broker, &file, &state).args(arguments).start();
    run.says("consuming from");
    let mut publish =
        broker.loghost(["publish", "--stdin", "--severity", "error", "--require-route"]).start();
    for reload in 0..reloads {
        for n in 0..EACH {
            publish.write_line(&format!("log {n} of {reload}"));
        }
        let version = format!("v{reload}");
        let next = guest("steady").version(&version).keeps_count().build();
        if reload % 2 == 0 {
            let said = run.stderr_so_far();
            replace(&file, &broken(&next));
            look(&run);
            let before = times(&said, "[steady] not reloaded, the old one goes on");
            run.has_said(|so_far| times(so_far, "[steady] not reloaded, the old one goes on") > before);
        } else {
            replace(&file, &next);
            look(&run);
            run.says(&format!("[steady] reloaded: version {version} ("));
        }
    }
    publish.close_stdin();
    publish.end().exits(0);
    counts(&run, "steady", [reloads * EACH, 0]);
    let output = run.end_by(Signal::Terminate).exits(0);
    let metric = last_of(&output.stdout, "steady");
    // Its state was passed from version to version.
    assert_eq!(metric["text"], (reloads * EACH).to_string(), "{output}");
    assert_eq!(metric["repeated"], 0, "{output}");
    assert_eq!(
        times(&output.stderr, "[steady] reloaded: version"),
        usize::try_from(reloads / 2).expect("few")
    );
    assert_eq!(broker.outside().depth(&broker.queue("steady")), Some(0));
}

/// In place, as a build does it, or by renaming, as an editor does it.
fn replace(file: &Path, bytes: &[u8]) {
    if fastrand::bool() {
        fs::write(file, bytes).expect("a folder of ours");
    } else {
        let new = file.with_extension("new");
        fs::write(&new, bytes).expect("a folder of ours");
        fs::rename(&new, file).expect("a folder of ours");
    }
}

fn a_hundred_under_load(broker: &Broker) {
    under_load(broker, 100, &["--watch"], |_| ());
}

fn at_a_signal(broker: &Broker) {
    under_load(broker, 20, &[], |run| run.signal(Signal::Hangup));
}

fn bindings_follow(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let file = guest("moving").severities(&["error"]).processes().write(folder.path());
    let first = run(broker, &file, &state).start();
    first.says("consuming from");
    arrives(broker, "error", "web.1");
    is_unwanted(broker, "info", "db.1");
    counts(&first, "moving", [1, 0]);

    let next = guest("moving").version("2").severities(&["info", "critical"]).sources(&["db.*"]);
    next.keeps_count().write(folder.path());
    first.signal(Signal::Hangup);
    first.says("[moving] reloaded: version 2");
    arrives(broker, "info", "db.1");
    arrives(broker, "critical", "db.2");
    for (severity, source) in [("info", "web.1"), ("error", "db.1"), ("debug", "db.1")] {
        is_unwanted(broker, severity, source);
    }
    first.has_printed(|so_far| last_of(so_far, "moving")["counts"] == tally([0, 1, 1, 1]));
    first.end_by(Signal::Terminate).exits(0);

    // A version that is new at a start as well: what the last one wanted is in the state.
    let file = guest("moving").version("3").severities(&["debug"]).processes().write(folder.path());
    let second = run(broker, &file, &state).start();
    second.says("consuming from");
    for (severity, source) in [("info", "db.1"), ("critical", "db.1"), ("error", "web.1")] {
        is_unwanted(broker, severity, source);
    }
    arrives(broker, "debug", "web.1");
    second.has_printed(|so_far| last_of(so_far, "moving")["counts"] == tally([1, 1, 1, 1]));
    second.end_by(Signal::Terminate).exits(0);
}

/// The processor has a queue of dead letters, which the counter did not need.
fn a_counter_becomes_a_processor(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let file = guest("growing").write(folder.path());
    let run = run(broker, &file, &state).start();
    run.says("consuming from");
    arrives(broker, "error", "web");
    counts(&run, "growing", [1, 0]);
    let processor = guest("growing").version("2").on("text", Then::Reject("no".to_owned()));
    for (version, expected) in [(processor, [1, 1]), (guest("growing").version("3"), [2, 1])] {
        let before = times(&run.stderr_so_far(), "[growing] reloaded");
        version.write(folder.path());
        run.signal(Signal::Hangup);
        run.has_said(|so_far| times(so_far, "[growing] reloaded") > before);
        arrives(broker, "error", "web");
        counts(&run, "growing", expected);
    }
    run.end_by(Signal::Terminate).exits(0);
    let listed = list(broker, "growing", &[]);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["reason"], &listed[0]["plugin"]["version"]), (&json!("no"), &json!("2")));
}

/// The one asks for what is done anyway, the other ends the waiting.
fn a_signal_before_there_is_a_broker() {
    let address = format!("amqp://127.0.0.1:{}", free_port());
    let run = loghost(["run", "--retry-for", "10m", "--broker", &address]);
    let run = run.arg(tracked("plugins/error.wasm")).start();
    run.says("trying again in");
    run.signal(Signal::Hangup);
    run.end_by(Signal::Terminate).exits(0);
}

/// The old one goes on, each time, and the reason is said.
fn what_is_refused(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let keeping = guest("keeping").keeps_count();
    let file = keeping.write(folder.path());
    let run = run(broker, &file, &state).args(["--listen", "127.0.0.1:0"]).start();
    run.says("consuming from");
    let refused: [(Guest, &str); 5] = [
        (
            guest("keeping").refuses_state("it is too old"),
            "does not take up its state: restore: it is too old",
        ),
        (keeping.clone().state_size(16), "does not take up its state: restore: a state has 16 bytes"),
        (guest("other").keeps_count(), "is called `other` now; end the run, and start it anew"),
        (guest("keeping").refuses("not today"), "does not take its settings: not today"),
        (keeping.clone().metric("").version(""), "reloaded: version  ("),
    ];
    for (n, (guest, words)) in (1..).zip(refused) {
        arrives(broker, "error", "web");
        counts(&run, "keeping", [n, 0]);
        fs::write(&file, guest.build()).expect("a folder of ours");
        run.signal(Signal::Hangup);
        let line = run.says(words);
        assert_eq!(line.contains("[keeping] not reloaded, the old one goes on"), n < 5, "{line}");
        let text = n.to_string();
        run.has_printed(|so_far| last_of(so_far, "keeping")["text"] == text);
    }
    arrives(broker, "error", "web");
    counts(&run, "keeping", [6, 0]);
    let refused = "loghost_reloads_refused_total{consumer=\"keeping\"} 4\n";
    Http::of(&run).get_until("/metrics", |answer| answer.body.contains(refused));
    let output = run.end_by(Signal::Terminate).exits(0);
    let metric = last_of(&output.stdout, "keeping");
    assert_eq!((errors(&metric), &metric["text"]), ([6, 0], &json!("6")), "{output}");
}
