//! Consumers whose dead letters, replays or derived logs a full queue rejects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::limited::{Limited, five, limit};
use super::{drain, lines, publish};
use crate::support::broker::Broker;
use crate::support::cli::{Loghost, Output, Running, Signal, loghost};
use crate::support::guest::{Then, declare, guest};

/// The queue of a consumer that has rejected eight logs, with room for five.
fn eight_dead(broker: &Broker) -> Limited {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").on("bad", Then::Reject("no".to_owned())).write(folder.path());
    declare(broker, std::slice::from_ref(&picky));
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin("bad\n".repeat(8)).end().exits(0);
    broker.loghost(["run", "--until-idle", "1s"]).arg(&picky).end().exits(0);
    let logs = limit(broker, &broker.queue("picky"), 5);
    assert_eq!(logs.outside.depth(&broker.dead_queue("picky")), Some(8));
    logs
}

fn replay(broker: &Broker) -> Loghost {
    let connection = ["--broker", broker.url(), "--prefix", broker.prefix()];
    loghost(["dead-letters", "replay", "picky", "--all", "--format", "json"]).args(connection)
}

#[track_caller]
fn replayed(output: &Output, replayed: u32, left: u32) {
    let report = json!({"replayed": replayed, "left": left, "not_dead_letters": 0, "not_logs": 0});
    assert_eq!(output.json(), [report], "{output}");
}

pub(super) fn a_replay_waits_for_room(broker: &Broker) {
    let logs = eight_dead(broker);
    let Limited { outside, queue, .. } = &logs;
    let replay = replay(broker).start();
    replay.says("the broker refuses dead letters for the queue");
    outside.wait_for_depth(queue, logs.full());
    logs.make_room();
    drain(outside, queue, 8);
    replayed(&replay.end().exits(0), 8, 0);
    assert_eq!(outside.depth(queue), Some(0));
    assert_eq!(outside.depth(&broker.dead_queue("picky")), Some(0));
}

pub(super) fn a_replay_counts_what_is_there(broker: &Broker) {
    let logs = eight_dead(broker);
    let (Limited { outside, queue, room, .. }, dead) = (&logs, broker.dead_queue("picky"));
    let output = replay(broker).args(["--retry-for", "1s"]).end().exits(69).says("(tried for 1s)");
    replayed(&output, *room, 8 - room);
    assert_eq!((outside.depth(queue), outside.depth(&dead)), (Some(logs.full()), Some(8 - room)));
    let mut left = 8 - room;
    // A quorum queue has no room for exactly two.
    if *room > 0 {
        drain(outside, queue, 2);
    }
    for (signal, replayed_then) in [(Signal::Terminate, (*room).min(2)), (Signal::Hangup, 0)] {
        let replay = replay(broker).start();
        replay.says("the broker refuses dead letters for the queue");
        outside.wait_for_depth(queue, logs.full());
        left -= replayed_then;
        replayed(&replay.end_by(signal).exits(69).says("interrupted"), replayed_then, left);
    }
    assert_eq!((outside.depth(queue), outside.depth(&dead)), (Some(logs.full()), Some(left)));
    logs.make_room();
    drain(outside, queue, *room);
    // A quorum queue may refuse for ever whoever begins while the last acknowledgements are under way.
    outside.wait_for_depth(queue, 0);
    replayed(&replay(broker).end().exits(0), left, 0);
    assert_eq!((outside.depth(queue), outside.depth(&dead)), (Some(left), Some(0)));
}

/// A consumer `picky`, whose queue of dead letters takes three when it is [`limit`]ed, and its folder.
fn picky(broker: &Broker) -> (std::path::PathBuf, tempfile::TempDir) {
    picky_with(broker, "")
}

/// The same, with this metric.
fn picky_with(broker: &Broker, metric: &str) -> (std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").metric(metric).on("bad", Then::Reject("no".to_owned())).write(folder.path());
    declare(broker, std::slice::from_ref(&picky));
    (picky, folder)
}

/// Each is there once; meanwhile other logs are counted, until too many wait.
pub(super) fn dead_letters_are_sent_again(broker: &Broker) {
    let (picky, _folder) = picky(broker);
    let run = broker.loghost(["run", "--every", "50ms", "--prefetch", "16", "--format", "json"]);
    let run = run.arg(&picky).start();
    run.says("consuming from");
    let dead = limit(broker, &broker.dead_queue("picky"), 3);
    let send = |text: String| publish(broker).stdin(text).end().exits(0);
    let bad = |n: u32| format!("bad {n}\n");
    send((1..=6).map(bad).collect::<Vec<_>>().concat());
    run.says("the broker refuses dead letters for the queue");
    send("good\n".repeat(20));
    counts(&run, "counts", 20);
    send((7..=14).map(bad).collect::<Vec<_>>().concat());
    run.says("takes no more");
    dead.make_room();
    let listed = drain(&dead.outside, &dead.queue, 14);
    let texts: BTreeMap<String, u32> = listed.into_iter().fold(BTreeMap::new(), |mut texts, (_, text)| {
        *texts.entry(text).or_default() += 1;
        texts
    });
    assert!(texts.len() == 14 && texts.values().all(|times| *times == 1), "{texts:?}");
    counts(&run, "rejected", 14);
    run.end_by(Signal::Terminate).exits(0).does_not_say("comes again");
    let depths = [&dead.queue, &broker.queue("picky")].map(|queue| dead.outside.depth(queue));
    assert_eq!(depths, [Some(0), Some(0)]);
}

#[track_caller]
fn counts(run: &Running, of: &str, errors: u32) {
    run.has_printed(|so_far| {
        let last = so_far.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        last.is_some_and(|metric| metric[of]["error"] == errors)
    });
}

/// What is counted already is acknowledged meanwhile, and an end is not held up; each batch is published in the end.
pub(super) fn derived_logs_are_waited_for_so_long(broker: &Broker) {
    let derived = five(broker, "info");
    let (outside, queue, room) = (&derived.outside, broker.queue("echo"), derived.room);
    let folder = tempfile::tempdir().expect("a folder");
    let echo = guest("echo").severities(&["error"]).publishes("info").write(folder.path());
    declare_echo(broker, &echo);
    let echoing = |arguments: &[&str]| {
        let run = broker.loghost(["run", "--grant", "publish", "--every", "50ms", "--format", "json"]);
        run.args(["--grace", "2s"]).args(arguments).arg(&echo)
    };
    let send = |logs: u32| publish(broker).stdin(lines(1, logs)).end().exits(0);
    let run = echoing(&[]).start();
    if room > 0 {
        send(room);
        counts(&run, "counts", room);
        outside.wait_for_depth(&queue, 0);
    }
    send(3);
    run.says("the broker has not taken the logs that it publishes within 1s: the batch comes again");
    run.end_by(Signal::Terminate).exits(0);
    assert_eq!(outside.depth(&queue), Some(3));

    let run = echoing(&["--max-logs", "3"]).start();
    derived.make_room();
    let logs = drain(outside, &derived.queue, room + 3);
    assert!(logs.iter().all(|(_, text)| text == "derived"), "{logs:?}");
    run.end().exits(0);
    assert_eq!(outside.depth(&queue), Some(0));
}

fn declare_echo(broker: &Broker, echo: &std::path::Path) {
    broker.loghost(["run", "--declare-only", "--grant", "publish"]).arg(echo).end().exits(0);
}

/// That ends the consumer, and no other.
pub(super) fn dead_letters_are_waited_for_so_long(broker: &Broker) {
    let (picky, folder) = picky(broker);
    let plain = guest("plain").write(folder.path());
    declare(broker, std::slice::from_ref(&plain));
    let run = broker.loghost(["run", "--retry-for", "1s", "--every", "50ms", "--format", "json"]);
    let run = run.args([&picky, &plain]).start();
    run.says("consuming from");
    let dead = limit(broker, &broker.dead_queue("picky"), 3);
    publish(broker).stdin("bad\n".repeat(8)).end().exits(0);
    run.says("takes no dead letter (tried for 1s)");
    publish(broker).stdin("later\n").end().exits(0);
    dead.outside.wait_for_depth(&broker.queue("plain"), 0);
    dead.outside.wait_for_depth(&broker.queue("picky"), 9 - dead.room);
    run.end_by(Signal::Terminate).exits(69);
    assert_eq!(dead.outside.depth(&dead.queue), Some(dead.full()));
}

/// Where that is asked for; what the others have in hand is finished.
pub(super) fn a_consumer_that_gives_up_ends_all(broker: &Broker) {
    let (picky, folder) = picky(broker);
    let plain = guest("plain").write(folder.path());
    declare(broker, std::slice::from_ref(&plain));
    let run =
        broker.loghost(["run", "--retry-for", "1s", "--exit-on-failure"]).args([&picky, &plain]).start();
    run.says("consuming from");
    let dead = limit(broker, &broker.dead_queue("picky"), 3);
    publish(broker).stdin("bad\n".repeat(8)).end().exits(0);
    let output = run.end().exits(69).says("ending all, as picky has ended (--exit-on-failure)");
    output.does_not_say("[plain]").prints("[plain]");
    assert_eq!(dead.outside.depth(&broker.queue("plain")), Some(0));
}

/// After the grace period the tasks that send dead letters go on until the process ends, and must not panic meanwhile.
pub(super) fn an_end_waits_so_long_for_dead_letters(broker: &Broker) {
    // Nobody reads it, so that the end of the process takes its time.
    let (picky, folder) = picky_with(broker, &"x".repeat(500_000));
    let run = broker.loghost(["run", "--grace", "300ms"]).arg(&picky).folder(folder.path());
    let run = run.after("mkfifo unread; exec 3<>unread >unread").start();
    run.says("consuming from");
    let dead = limit(broker, &broker.dead_queue("picky"), 3);
    publish(broker).stdin("good\n".to_owned() + &"bad\n".repeat(8)).end().exits(0);
    run.says("the broker refuses dead letters for the queue");
    let output = run.end_by(Signal::Terminate).exits(69).says("could not finish within 300ms (--grace)");
    output.does_not_say("panicked");
    assert_eq!(dead.outside.depth(&dead.queue), Some(dead.full()));
    dead.outside.wait_for_at_least(&broker.queue("picky"), 8 - dead.room);
}
