//! Logs that a plugin traps on, and plugins that trap on everything: no other log and no other plugin is affected.
//! Also the state of plugins.

use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::thread;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on, on_all, on_each};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::dead_letters::list;
use crate::support::guest::{Does, Guest, Then, declare, guest, seen};
use crate::support::metrics::{counts, errors, last_of};
use crate::support::publish::{logs, publish};
use crate::support::sha256;

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(Kind::QUEUES, "poison::three_in_five_hundred", three_in_five_hundred),
        on(Kind::QUEUES, "poison::a_plugin_that_traps_on_everything", a_plugin_that_traps_on_everything),
        on_each("poison::a_stopped_plugin_is_tried", a_stopped_plugin_is_tried),
        on_all("poison::a_stopped_plugin_is_mended", a_stopped_plugin_is_mended),
        on_each("poison::a_replayed_log_has_new_retries", a_replayed_log_has_new_retries),
        on_each("poison::a_state_that_is_refused", a_state_that_is_refused),
        on_each("poison::what_a_panic_says_is_the_reason", what_a_panic_says_is_the_reason),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `loghost run` of this plugin, quick to report, with this state.
fn run(broker: &Broker, file: &Path, state: &Path) -> Loghost {
    broker.loghost(["run", "--format", "json", "--every", "20ms", "--state"]).arg(state).arg(file)
}

#[track_caller]
fn replay_all(broker: &Broker, consumer: &str) -> Output {
    let connection = ["--broker", broker.url(), "--prefix", broker.prefix()];
    loghost(["dead-letters", "replay", consumer, "--all"]).args(connection).end().exits(0)
}

/// Waits until this many logs are left in a plugin's queue, and gives the number of its dead letters.
#[track_caller]
fn leaves(broker: &Broker, consumer: &str, left: u32) -> u32 {
    let outside = broker.outside();
    outside.wait_for_depth(&broker.queue(consumer), left);
    outside.depth(&broker.dead_queue(consumer)).expect("a queue of dead letters")
}

/// At random positions, with batches of various sizes.
fn three_in_five_hundred(broker: &Broker) {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for case in 0..4 {
        let mut indices: Vec<usize> = random.choose_multiple(0..500, 3);
        indices.sort_unstable();
        let limit = *random.choice(&[1, 2, 7, 64, 100, 256, 500]).expect("some");
        let _case = Case(format!("seed {seed}, case {case}: poison at {indices:?}, --max-batch {limit}"));
        isolates(broker, &format!("frail-{case}"), &indices, &limit.to_string());
    }
}

/// A case of a test, which is printed if it fails.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("failed: {}", self.0);
        }
    }
}

#[track_caller]
fn isolates(broker: &Broker, name: &str, indices: &[usize], limit: &str) {
    const POISONS: [(&str, Does, &str); 3] = [
        ("panic", Does::Panic, "process: panicked"),
        ("recurse", Does::Recurse, "process: used more than 512.0 KiB of stack (--max-stack)"),
        ("hoard", Does::AllocateForever, "process: used more than 64.0 MiB of memory (--max-memory)"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let frail = POISONS.iter().fold(guest(name).version("1.2").keeps_count(), |frail, (word, does, _)| {
        frail.on(word, Then::Do(*does))
    });
    let file = frail.write(folder.path());
    let digest = sha256(&fs::read(&file).expect("a file"));
    declare(broker, from_ref(&file));
    let mut all = logs(500);
    for (index, (word, ..)) in indices.iter().zip(POISONS) {
        word.clone_into(&mut all[*index]);
    }
    publish(broker, &all);
    let first = run(broker, &file, &state).args(["--max-logs", "500", "--max-batch", limit]).end().exits(0);
    let metric = last_of(&first.stdout, name);
    // Its state was rolled back each time.
    assert_eq!(
        (errors(&metric), &metric["text"]),
        ([497, 3], &json!("497")),
        "{indices:?}, {limit}: {first}"
    );
    let listed = list(broker, name, &[]);
    assert_eq!(listed.len(), 3, "{listed:?}");
    for (dead_letter, (word, _, reason)) in listed.iter().zip(POISONS) {
        assert_eq!(
            (&dead_letter["message"], &dead_letter["outcome"]),
            (&json!(word), &json!("trap")),
            "{dead_letter}"
        );
        assert!(
            dead_letter["reason"].as_str().is_some_and(|words| words.starts_with(reason)),
            "{dead_letter}"
        );
        let plugin = json!({"name": name, "version": "1.2", "sha256": digest});
        assert_eq!((&dead_letter["plugin"], &dead_letter["attempts"]), (&plugin, &json!(1)), "{dead_letter}");
        assert_eq!(dead_letter["exchange"], broker.exchange("error"), "{dead_letter}");
        if word != "hoard" {
            assert!(
                dead_letter["backtrace"].as_str().is_some_and(|frames| frames.contains(" at 0x")),
                "{dead_letter}"
            );
        }
    }

    let fixed = guest(name).version("1.3").keeps_count().write(folder.path());
    replay_all(broker, name).prints("replayed 3  left 0");
    let second = run(broker, &fixed, &state).args(["--max-logs", "3", "--max-batch", limit]).end().exits(0);
    let metric = last_of(&second.stdout, name);
    assert_eq!((errors(&metric), &metric["text"]), ([500, 0], &json!("500")), "{second}");
    assert_eq!((&metric["repeated"], &metric["without_id"]), (&json!(0), &json!(0)), "{second}");
    loghost(["report", "--state"]).arg(&state).end().exits(0);
    assert_eq!(leaves(broker, name, 0), 0);
}

/// A broken release leaves its queue as it is, and does not affect other plugins.
fn a_plugin_that_traps_on_everything(broker: &Broker) {
    const ALL: u64 = 10_000;
    let folder = tempfile::tempdir().expect("a folder");
    let frail = guest("frail").on("", Then::Do(Does::Panic)).write(folder.path());
    let calm = guest("calm").processes().write(folder.path());
    declare(broker, &[frail.clone(), calm.clone()]);
    publish(broker, &logs(10_000));
    let run =
        broker.loghost(["run", "--format", "json", "--probe-after", "50ms"]).args([&frail, &calm]).start();
    run.says("[frail] stopped, because it keeps failing: its queue is left as it is");
    counts(&run, "calm", [ALL, 0]);
    // The time between attempts grows.
    run.says("one log is tried in 400ms");
    let output = run.end_by(Signal::Terminate).exits(75);
    let output = output.says("[frail] was stopped, because it kept failing: process: panicked");
    assert_eq!(errors(&last_of(&output.stdout, "calm")), [ALL, 0], "{output}");
    let dead = errors(&last_of(&output.stdout, "frail"))[1];
    assert!((25..=40).contains(&dead), "{dead} dead letters: {output}");
    let left = ALL - dead;
    assert_eq!(u64::from(leaves(broker, "frail", u32::try_from(left).expect("a few"))), dead, "{output}");

    // Its next version takes over while the run goes on.
    let run = broker.loghost(["run", "--format", "json", "--watch"]).args([&frail, &calm]).start();
    run.says("[frail] stopped, because it keeps failing");
    guest("frail").version("2").processes().write(folder.path());
    run.says("[frail] reloaded: version 2");
    run.has_printed(|so_far| {
        let [accepted, rejected] = errors(&last_of(so_far, "frail"));
        accepted + rejected == left && accepted > 0
    });
    run.end_by(Signal::Terminate).exits(0).does_not_say("was stopped");
    assert!(u64::from(leaves(broker, "frail", 0)) <= dead + 40);
}

/// A plugin that failed at many logs is resumed as soon as it succeeds at one that is tried.
fn a_stopped_plugin_is_tried(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest("frail").on("bad", Then::Do(Does::Panic)).write(folder.path());
    declare(broker, from_ref(&file));
    let mut all = vec!["bad".to_owned(); 28];
    all.extend(logs(300));
    publish(broker, &all);
    let run = broker.loghost(["run", "--format", "json", "--probe-after", "100ms"]).arg(&file).start();
    for delay in ["100ms", "200ms", "400ms", "800ms"] {
        run.says(&format!("one log is tried in {delay} "));
    }
    run.says("[frail] no longer fails: goes on");
    counts(&run, "frail", [300, 28]);
    run.end_by(Signal::Terminate).exits(0).does_not_say("was stopped");
    assert_eq!(leaves(broker, "frail", 0), 28);
}

/// A file that does not load costs no log, a version as bad as the last one costs one log more, and a good one counts
/// the rest at once.
fn a_stopped_plugin_is_mended(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let file = guest("frail").on("", Then::Do(Does::Panic)).write(folder.path());
    declare(broker, from_ref(&file));
    publish(broker, &logs(200));
    let run = run(broker, &file, &state).args(["--stop-at", "3/4", "--probe-after", "1h"]).start();
    run.says("[frail] stopped, because it keeps failing");
    fs::write(&file, b"no plugin").expect("a file of ours");
    run.signal(Signal::Hangup);
    run.says("[frail] not reloaded, the old one goes on");
    guest("frail").version("2").on("", Then::Do(Does::Recurse)).write(folder.path());
    run.signal(Signal::Hangup);
    run.says("[frail] reloaded: version 2");
    run.has_said(|so_far| so_far.matches("[frail] stopped, because it keeps failing").count() == 2);
    guest("frail").version("3").keeps_count().write(folder.path());
    run.signal(Signal::Hangup);
    run.says("[frail] reloaded: version 3");
    run.says("[frail] no longer fails: goes on");
    counts(&run, "frail", [196, 4]);
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(last_of(&output.stdout, "frail")["text"], "196", "{output}");
    assert_eq!(leaves(broker, "frail", 0), 4);
}

/// Logs behind it do not wait, and it is not lost when its attempts are used up.
fn a_replayed_log_has_new_retries(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let later = Then::Retry("not yet".to_owned());
    let file = guest("patient").transcribes().on_attempts_below(4, "retry", later).write(folder.path());
    declare(broker, from_ref(&file));
    let mut all = vec!["retry".to_owned()];
    all.extend(logs(50));
    publish(broker, &all);
    let retries = ["--max-retries", "1", "--max-logs"];
    let first = run(broker, &file, &state).args(retries).arg("51").end().exits(0);
    let order: Vec<(String, u32)> =
        seen(&first.stderr, "patient").into_iter().map(|seen| (seen.message, seen.attempt)).collect();
    assert_eq!(order.first(), Some(&("retry".to_owned(), 1)), "{first}");
    assert_eq!(order.last(), Some(&("retry".to_owned(), 2)), "{first}");
    assert_eq!((order.len(), errors(&last_of(&first.stdout, "patient"))), (52, [50, 1]), "{first}");
    let listed = list(broker, "patient", &[]);
    let [dead_letter] = &listed[..] else { panic!("not one dead letter: {listed:?}") };
    for (key, value) in [
        ("message", json!("retry")),
        ("outcome", json!("retry")),
        ("reason", json!("not yet")),
        ("attempts", json!(2)),
        ("backtrace", json!(null)),
    ] {
        assert_eq!(dead_letter[key], value, "{key}: {dead_letter}");
    }

    replay_all(broker, "patient");
    let second = run(broker, &file, &state).args(retries).arg("1").end().exits(0);
    let attempts: Vec<u32> = seen(&second.stderr, "patient").iter().map(|seen| seen.attempt).collect();
    assert_eq!(attempts, [3, 4], "{second}");
    assert_eq!(errors(&last_of(&second.stdout, "patient")), [51, 0], "{second}");
    assert_eq!(leaves(broker, "patient", 0), 0);
}

/// Counts `n` logs, and gives what the plugin says of them.
#[track_caller]
fn keeps(broker: &Broker, file: &Path, state: &Path, n: usize, arguments: &[&str]) -> Value {
    publish(broker, &logs(n));
    let run = run(broker, file, state).args(["--max-logs", &n.to_string()]).args(arguments);
    let output = run.end().exits(0);
    last_of(&output.stdout, "keeping")
}

/// The state of a plugin survives a run, unless an option says to discard it.
fn a_state_that_is_refused(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let file = guest("keeping").keeps_count().write(folder.path());
    declare(broker, from_ref(&file));
    let metric = keeps(broker, &file, &state, 30, &[]);
    assert_eq!((errors(&metric), &metric["text"]), ([30, 0], &json!("30")));
    let metric = keeps(broker, &file, &state, 12, &["--max-batch", "5"]);
    assert_eq!((errors(&metric), &metric["text"]), ([42, 0], &json!("42")));

    let refusals: [(Guest, &str); 2] = [
        (guest("keeping").refuses_state("it is too old"), "[keeping] restore: it is too old"),
        (guest("keeping").when_restoring(Does::Panic), "[keeping] restore: panicked"),
    ];
    for (guest, words) in refusals {
        let file = guest.write(folder.path());
        let refused = run(broker, &file, &state).end().exits(65);
        refused.says(words).says("--discard-state");
    }
    // Nothing was taken, and nothing of it is lost to a plugin that takes it up.
    let file: PathBuf = guest("keeping").version("2").keeps_count().write(folder.path());
    let metric = keeps(broker, &file, &state, 1, &[]);
    assert_eq!((errors(&metric), &metric["text"]), ([43, 0], &json!("43")));

    let file = guest("keeping").state_size(16).write(folder.path());
    run(broker, &file, &state).end().exits(65).says("[keeping] restore: a state has 16 bytes");
    let metric = keeps(broker, &file, &state, 5, &["--discard-state"]);
    assert_eq!((errors(&metric), &metric["text"]), ([48, 0], &json!("5")), "counts are kept");
    let metric = keeps(broker, &file, &state, 2, &[]);
    assert_eq!((errors(&metric), &metric["text"]), ([50, 0], &json!("7")), "it is not refused again");
}

/// The reasons of all dead letters of a plugin, which panics at each of the logs as it is told there.
#[track_caller]
fn reasons(broker: &Broker, panics: &[(&str, &str)]) -> (Vec<String>, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let frail = panics
        .iter()
        .fold(guest("frail"), |frail, (log, words)| frail.on(log, Then::Panic((*words).to_owned())));
    let file = frail.write(folder.path());
    declare(broker, from_ref(&file));
    publish(broker, &panics.iter().map(|(log, _)| (*log).to_owned()).collect::<Vec<_>>());
    let run = broker.loghost(["run", "--format", "json", "--until-idle", "300ms"]).arg(&file).end().exits(0);
    let listed = list(broker, "frail", &[]);
    (
        listed
            .iter()
            .map(|dead_letter| dead_letter["reason"].as_str().expect("a reason").to_owned())
            .collect(),
        run,
    )
}

/// In one line, and with advice if the plugin has used something that plugins do not have.
fn what_a_panic_says_is_the_reason(broker: &Broker) {
    let (reasons, run) = reasons(
        broker,
        &[
            ("text", "panicked at src/lib.rs:41:13:\ncannot digest\nit"),
            ("clock", "panicked at library/std/src/sys/time.rs:35:9:\ntime not implemented on this platform"),
            ("thread", "panicked at src/lib.rs:7:1:\noperation not supported on this platform"),
            ("else", "out of cheese"),
        ],
    );
    assert_eq!(reasons[0], "process: panicked at src/lib.rs:41:13: cannot digest\\u{a}it");
    assert!(
        reasons[1].contains("35:9: time not implemented on this platform; a plugin has no clock: "),
        "{run}"
    );
    assert!(reasons[2].contains("7:1: operation not supported on this platform; a plugin has no "), "{run}");
    assert_eq!(reasons[3], "process: panicked (trap: unreachable): out of cheese");
    for (words, index) in [("cannot digest", "41:13"), ("out of cheese", "")] {
        let lines: Vec<&str> = run.stderr.lines().filter(|line| line.contains(words)).collect();
        assert!(
            matches!(lines[..], [line] if line.contains("failed at one log") && line.contains(index)),
            "{run}"
        );
    }
    let connection = ["--broker", broker.url(), "--prefix", broker.prefix()];
    let show = loghost(["dead-letters", "show", "frail", "1"]).args(connection).end().exits(0);
    show.prints("process: panicked at src/lib.rs:41:13: cannot digest");
}
