//! Hosts of two versions that change places while logs come: each log is counted once, or it is known why not.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::standby::{ends, report, run, versions};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::dead_letters::{dead_letters, list};
use crate::support::guest::guest;
use crate::support::{self, TIMEOUT};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(Kind::QUEUES, "rolling_upgrade::and_back", |broker| upgrade(broker, 3, 300));
    for kind in Kind::LONG.into_iter().filter(|kind| Kind::QUEUES.contains(kind)) {
        let name = format!("{}::rolling_upgrade::and_back", kind.name());
        trials.push(support::long(&name, move || {
            upgrade(&Broker::new(kind)?, 9, 4000);
            Ok(())
        }));
    }
    trials
}

/// A number for each severity, in a JSON object.
fn of(severity: &str, tally: &Value) -> u64 {
    tally[severity].as_u64().expect("a number")
}

/// Two hosts change places while logs come, one of which wants more than the other. What one of them wants is counted
/// once, or is a dead letter if nobody wanted it when it came to it; what found no queue, the publisher knows of.
fn upgrade(broker: &Broker, turns: usize, lines: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let states = ["state-1", "state-2"].map(|state| folder.path().join(state));
    let narrow = guest("rolling").severities(&["error"]);
    let wide = guest("rolling").severities(&["error", "info"]);
    let plugins = versions(folder.path(), [narrow, wide]);

    let mut active = run(broker, &plugins[0], &states[0]);
    let mut publishing = BTreeMap::new();
    for severity in ["error", "info"] {
        let publish = ["publish", "--stdin", "--format", "json", "--source", "web", "--severity", severity];
        publishing.insert(severity, broker.loghost(publish).start());
    }
    let mut write = |lines: usize| {
        for n in 0..lines {
            for publish in publishing.values_mut() {
                publish.write_line(&format!("log {n}"));
            }
        }
    };
    for turn in 1..=turns {
        let next = run(broker, &plugins[turn % 2], &states[turn % 2]);
        // It stands by, unless the other one opens its queue again just then, to read whole what it dead-letters.
        write(lines / 2);
        // Now and then it is not asked.
        if turn % 3 == 2 {
            drop(active.end_by(Signal::Kill));
        } else {
            drop(ends(active));
        }
        write(lines / 2);
        next.has_printed(|so_far| !so_far.is_empty());
        write(lines / 2);
        active = next;
    }
    // The wide one has the last word, and sees the last log.
    assert_eq!(turns % 2, 1);
    let sent: BTreeMap<&str, Value> = publishing
        .into_iter()
        .map(|(severity, mut publish)| {
            publish.close_stdin();
            let output = publish.end_within(TIMEOUT * 5).exits(0);
            (severity, output.json()[0].clone())
        })
        .collect();
    ends(active);
    let count_the_rest = || {
        let rest = broker.loghost(["run", "--until-idle", "2s", "--state"]).arg(&states[1]).arg(&plugins[1]);
        rest.start().end_within(TIMEOUT * 5).exits(0);
        assert_eq!(broker.outside().depth(&broker.queue("rolling")), Some(0));
    };
    count_the_rest();

    let balance = report(&states);
    for (&severity, sent) in &sent {
        let (confirmed, unroutable) = (of(severity, &sent["confirmed"]), of(severity, &sent["unroutable"]));
        let accounted = counted(severity, &balance) + of(severity, &balance["unwanted"]);
        assert_eq!(accounted + unroutable, confirmed, "{severity}: {sent} {balance}");
        assert_eq!(of(severity, &balance["missing"]), unroutable, "{severity}: {sent} {balance}");
        assert_eq!(of(severity, &balance["rejected"]), 0, "{severity}: {sent} {balance}");
    }
    let listed = list(broker, "rolling", &[]);
    assert!(listed.iter().all(|dead_letter| dead_letter["outcome"] == json!("unwanted")), "{listed:?}");

    // Whether or not a dead letter's log was counted by a host that was killed, it is once what was sent back is.
    dead_letters(broker, "replay", ["rolling", "--all"]).end().exits(0);
    count_the_rest();
    let balance = report(&states);
    for (severity, sent) in sent {
        let routed = of(severity, &sent["confirmed"]) - of(severity, &sent["unroutable"]);
        assert_eq!(counted(severity, &balance), routed, "{severity}: {sent} {balance}");
        assert_eq!(of(severity, &balance["unwanted"]), 0, "{severity}: {sent} {balance}");
    }
}

/// How many logs of a severity were counted, each once.
fn counted(severity: &str, balance: &Value) -> u64 {
    of(severity, &balance["counts"]) - of(severity, &balance["counted_twice"])
}
