//! Logs that a processor fails at: by a trap, or by an answer that breaks the contract.

use serde_json::{Value, json};

use super::{last, publish, run};
use crate::support::broker::Broker;
use crate::support::cli::Signal;
use crate::support::dead_letters;
use crate::support::guest::{Does, Then, guest, seen};

/// The plugin goes on, and the others are not affected.
pub(super) fn a_trap_costs_one_log(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let frail = guest("frail").on("poison", Then::Do(Does::Panic)).write(folder.path());
    let calm = guest("calm").processes().write(folder.path());
    let run = broker.loghost(["run", "--format", "json", "--every", "10ms"]).args([frail, calm]).start();
    run.says("consuming from");
    publish(broker, &[b"one", b"poison"]);
    run.says("[frail] failed at one log (error, without an id), which goes to the dead letters");
    publish(broker, &[b"two", b"three"]);
    for (name, accepted, rejected) in [("calm", 4, 0), ("frail", 3, 1)] {
        run.has_printed(|so_far| {
            let metrics = so_far.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            metrics.into_iter().any(|metric| {
                let counts = ["counts", "rejected"].map(|counts| metric[counts]["error"].as_u64());
                metric["consumer"] == name && counts == [Some(accepted), Some(rejected)]
            })
        });
    }
    run.end_by(Signal::Terminate).exits(0).does_not_say("[calm] failed").does_not_say("stopped");
    let outside = broker.outside();
    assert_eq!(outside.depth(&broker.queue("frail")), Some(0));
    assert_eq!(outside.depth(&broker.queue("calm")), Some(0));
    is_dead(broker, "frail", "poison", "process: panicked");
    assert!(dead_letters::list(broker, "calm", &[]).is_empty());
}

/// Fails unless this log is the plugin's only dead letter, for which this is the reason.
#[track_caller]
fn is_dead(broker: &Broker, name: &str, message: &str, reason: &str) {
    let listed = dead_letters::list(broker, name, &[]);
    let [dead_letter] = &listed[..] else { panic!("not one dead letter of {name}: {listed:?}") };
    assert_eq!(
        (&dead_letter["message"], &dead_letter["outcome"]),
        (&json!(message), &json!("trap")),
        "{dead_letter}"
    );
    assert!(dead_letter["reason"].as_str().is_some_and(|words| words.starts_with(reason)), "{dead_letter}");
}

/// The other logs of its batch are processed in order, and counted once.
pub(super) fn a_batch_that_traps_is_split(broker: &Broker) {
    let frail = guest("frail").transcribes().on("poison", Then::Do(Does::Panic));
    let logs: [&[u8]; 6] = [b"one", b"two", b"three", b"poison", b"four", b"five"];
    let output = run(broker, &frail, &logs, &[]).exits(0);
    assert_eq!(last(&output), [5, 0, 1], "{output}");
    let seen = seen(&output.stderr, "frail");
    // The last batch with it has no other log.
    let alone = seen.iter().rposition(|seen| seen.message == "poison").expect("it has seen it");
    assert_eq!((seen[alone].batch, seen[alone].attempt), (1, 1), "{output}");
    for log in ["one", "two", "three", "four", "five"] {
        let last = seen.iter().rposition(|seen| seen.message == log).expect("it has seen it");
        assert_eq!(last < alone, ["one", "two", "three"].contains(&log), "{log}: {output}");
    }
    assert_eq!(broker.outside().depth(&broker.queue("frail")), Some(0));
    is_dead(broker, "frail", "poison", "process: panicked");
}

/// A plugin that breaks the contract has failed as if it had trapped.
pub(super) fn verdicts_are_checked(broker: &Broker) {
    let beyond = guest("beyond").on("checked", Then::SkipBehind(7));
    let twice = guest("twice").on("checked", Then::Skip).on("checked", Then::Reject("no".to_owned()));
    for (guest, words) in [
        (beyond, "process: returned a verdict for log 7 of a batch of 1"),
        (twice, "process: returned two verdicts for log 0"),
    ] {
        let output = run(broker, &guest, &[b"one", b"checked", b"two"], &["--max-batch", "1"]).exits(0);
        let output = output.says(words);
        assert_eq!(last(&output), [2, 0, 1], "{output}");
        assert_eq!(broker.outside().depth(&broker.queue(guest.name())), Some(0));
        is_dead(broker, guest.name(), "checked", words);
    }
}
