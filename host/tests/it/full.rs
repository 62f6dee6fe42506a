//! A queue that is full, and refuses what comes (`reject-publish`): what is refused is sent again until it is taken.

use std::collections::BTreeMap;
use std::fs;

use lapin::types::ShortString;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Output, Running, Signal, loghost};
use crate::support::guest::{Then, declare, guest};
use crate::support::outside::Outside;
use crate::support::rabbitmq::{self, Setup, Version, rabbitmqctl};
use crate::support::{Skip, needing};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        needing(
            "rabbitmq::full::refused_logs_survive_a_lost_connection",
            refused_logs_survive_a_lost_connection,
        ),
        needing("rabbitmq::full::a_log_too_large_is_given_up", a_log_too_large_is_given_up),
    ];
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let on = |name: &str, body: fn(&Broker)| {
            needing(format!("{}::full::{name}", kind.name()), move || {
                body(&Broker::new(kind)?);
                Ok(())
            })
        };
        trials.extend([
            on("logs_are_sent_again_in_their_order", logs_are_sent_again_in_their_order),
            on("other_severities_go_on", other_severities_go_on),
            on("logs_are_given_up_after_a_time", logs_are_given_up_after_a_time),
            on("an_interruption_tells_how_many", an_interruption_tells_how_many),
            on("dead_letters_are_sent_again", dead_letters_are_sent_again),
            on("dead_letters_are_waited_for_so_long", dead_letters_are_waited_for_so_long),
            on("a_consumer_that_gives_up_ends_all", a_consumer_that_gives_up_ends_all),
            on("derived_logs_are_waited_for_so_long", derived_logs_are_waited_for_so_long),
            on("an_end_waits_so_long_for_dead_letters", an_end_waits_so_long_for_dead_letters),
            on("a_replay_waits_for_room", a_replay_waits_for_room),
            on("a_replay_counts_what_is_there", a_replay_counts_what_is_there),
        ]);
    }
    trials
}

/// A queue with room for five, which gets all logs of a severity.
fn five(broker: &Broker, severity: &str) -> (Outside, String) {
    let (outside, queue) = (broker.outside(), format!("{}-{severity}", broker.prefix()));
    outside.listen_to(5, &queue, &broker.exchange(severity));
    (outside, queue)
}

fn publish(broker: &Broker) -> Loghost {
    broker.loghost(["publish", "--stdin", "--severity", "error", "--source", "web-1", "--format", "json"])
}

/// Takes so many messages out of a queue: the last numbers of their ids, and their texts.
#[track_caller]
fn drain(outside: &Outside, queue: &str, messages: usize) -> Vec<(String, String)> {
    let message = |_| {
        let message = outside.take(queue);
        let id = message.properties.message_id().as_ref().map_or("", ShortString::as_str).to_owned();
        let number = id.rsplit_once('/').map_or("", |(_, number)| number).to_owned();
        (number, String::from_utf8(message.data.clone()).expect("a text"))
    };
    (0..messages).map(message).collect()
}

fn numbers(first: u32, last: u32) -> Vec<(String, String)> {
    (first..=last).map(|n| (n.to_string(), n.to_string())).collect()
}

fn lines(first: u32, last: u32) -> String {
    (first..=last).map(|n| format!("{n}\n")).collect::<Vec<_>>().concat()
}

fn logs_are_sent_again_in_their_order(broker: &Broker) {
    let (outside, queue) = five(broker, "error");
    let mut publish = publish(broker).start();
    (1..=6).for_each(|n| publish.write_line(&n.to_string()));
    let line = publish.says("the broker refused the log");
    assert!(line.contains("/6 (error of web-1") && line.contains("reject-publish"), "{line}");
    (7..=40).for_each(|n| publish.write_line(&n.to_string()));
    publish.close_stdin();
    assert_eq!(drain(&outside, &queue, 40), numbers(1, 40), "{publish}");
    let output = publish.end().exits(0).says("has taken the logs that it had refused");
    assert_eq!(output.stderr.matches("refused the log").count(), 1, "{output}");
    check(&output, 40, 0);
    assert_eq!(outside.depth(&queue), Some(0));
}

#[track_caller]
fn check(output: &Output, confirmed: u32, refused: u32) {
    let report: &Value = &output.json()[0];
    let found = (&report["confirmed"]["error"], &report["refused"]["error"], &report["unanswered"]);
    assert_eq!(found, (&json!(confirmed), &json!(refused), &json!(0)), "{output}");
}

/// The publisher of an `error` that is refused goes on with what is not.
fn other_severities_go_on(broker: &Broker) {
    let (outside, queue) = five(broker, "error");
    let free = format!("{}-free", broker.prefix());
    outside.listen(&free, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mixed.txt");
    fs::write(&file, "error x9 @web-1: a\ninfo x500 @web-1: b\n").expect("a file in a folder of ours");
    let publish = broker.loghost(["publish", "--file"]).arg(&file).start();
    publish.says("the broker refused the log");
    outside.wait_for_depth(&free, 500);
    assert_eq!(outside.depth(&queue), Some(5), "{publish}");
    drain(&outside, &queue, 9);
    publish.end().exits(0).prints("error 9").prints("total 509");
}

/// Also what was not confirmed then is sent by the next one, from the first that was refused.
fn logs_are_given_up_after_a_time(broker: &Broker) {
    let (outside, queue) = five(broker, "error");
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let go_on = || publish(broker).args(["--retry-for", "1s", "--journal"]).arg(&journal).stdin(lines(1, 13));
    let output = go_on().end().exits(69).says("the broker refused the log").says("(tried for 1s)");
    check(&output.says("the broker refused 8 logs"), 5, 8);
    assert_eq!(drain(&outside, &queue, 5), numbers(1, 5));
    let again = go_on().start();
    let rest = drain(&outside, &queue, 8);
    check(&again.end().exits(0), 8, 0);
    let rest: BTreeMap<_, _> = rest.into_iter().collect();
    assert!(rest.into_iter().eq(numbers(6, 13).into_iter().collect::<BTreeMap<_, _>>()));
    assert_eq!(outside.depth(&queue), Some(0));
}

fn an_interruption_tells_how_many(broker: &Broker) {
    for signal in [Signal::Terminate, Signal::Hangup] {
        let (outside, queue) = five(broker, "error");
        let mut publish = publish(broker).start();
        (1..=13).for_each(|n| publish.write_line(&n.to_string()));
        publish.says("the broker refused the log");
        outside.wait_for_depth(&queue, 5);
        check(&publish.end_by(signal).exits(69).says("interrupted").says("the broker refused 8 logs"), 5, 8);
        outside.delete(&queue);
    }
}

/// Has a queue refuse what is more than `most` messages, by a policy.
#[track_caller]
fn limit(broker: &Broker, queue: &str, most: u32) {
    let definition = json!({"max-length": most, "overflow": "reject-publish"}).to_string();
    let pattern = format!("^{}$", queue.replace('.', "\\."));
    let policy = ["set_policy", "--apply-to", "queues", queue, &pattern, &definition];
    rabbitmqctl(broker.version().expect("a RabbitMQ"), &policy);
}

/// A consumer that has rejected eight logs, whose own queue has room for five.
fn eight_dead(broker: &Broker) -> (Outside, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").on("bad", Then::Reject("no".to_owned())).write(folder.path());
    declare(broker, std::slice::from_ref(&picky));
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin("bad\n".repeat(8)).end().exits(0);
    broker.loghost(["run", "--until-idle", "1s"]).arg(&picky).end().exits(0);
    let queue = broker.queue("picky");
    limit(broker, &queue, 5);
    let outside = broker.outside();
    assert_eq!(outside.depth(&format!("{queue}.dead")), Some(8));
    (outside, queue)
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

fn a_replay_waits_for_room(broker: &Broker) {
    let (outside, queue) = eight_dead(broker);
    let replay = replay(broker).start();
    replay.says("the broker refuses dead letters for the queue");
    outside.wait_for_depth(&queue, 5);
    drain(&outside, &queue, 8);
    replayed(&replay.end().exits(0), 8, 0);
    assert_eq!(outside.depth(&queue), Some(0));
    assert_eq!(outside.depth(&format!("{queue}.dead")), Some(0));
}

fn a_replay_counts_what_is_there(broker: &Broker) {
    let (outside, queue) = eight_dead(broker);
    let dead = format!("{queue}.dead");
    let output = replay(broker).args(["--retry-for", "1s"]).end().exits(69).says("(tried for 1s)");
    replayed(&output, 5, 3);
    assert_eq!((outside.depth(&queue), outside.depth(&dead)), (Some(5), Some(3)));
    drain(&outside, &queue, 2);
    for (signal, replayed_then) in [(Signal::Terminate, 2), (Signal::Hangup, 0)] {
        let replay = replay(broker).start();
        replay.says("the broker refuses dead letters for the queue");
        outside.wait_for_depth(&queue, 5);
        replayed(&replay.end_by(signal).exits(69).says("interrupted"), replayed_then, 1);
    }
    assert_eq!((outside.depth(&queue), outside.depth(&dead)), (Some(5), Some(1)));
}

/// A consumer `picky` whose queue of dead letters has room for three.
fn picky(broker: &Broker) -> (Outside, std::path::PathBuf, tempfile::TempDir) {
    picky_with(broker, "")
}

/// The same, with this metric.
fn picky_with(broker: &Broker, metric: &str) -> (Outside, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").metric(metric).on("bad", Then::Reject("no".to_owned())).write(folder.path());
    declare(broker, std::slice::from_ref(&picky));
    limit(broker, &format!("{}.dead", broker.queue("picky")), 3);
    (broker.outside(), picky, folder)
}

/// Each is there once, and what is good is counted meanwhile, until too many wait.
fn dead_letters_are_sent_again(broker: &Broker) {
    let (outside, picky, _folder) = picky(broker);
    let dead = format!("{}.dead", broker.queue("picky"));
    let send = |text: String| publish(broker).stdin(text).end().exits(0);
    let bad = |n: u32| format!("bad {n}\n");
    send((1..=6).map(bad).collect::<Vec<_>>().concat());
    let run = broker.loghost(["run", "--every", "50ms", "--prefetch", "16", "--format", "json"]);
    let run = run.arg(&picky).start();
    run.says("the broker refuses dead letters for the queue");
    send("good\n".repeat(20));
    counts(&run, "counts", 20);
    send((7..=14).map(bad).collect::<Vec<_>>().concat());
    run.says("pauses");
    let letters = drain(&outside, &dead, 14);
    let texts: BTreeMap<String, u32> = letters.into_iter().fold(BTreeMap::new(), |mut texts, (_, text)| {
        *texts.entry(text).or_default() += 1;
        texts
    });
    assert!(texts.len() == 14 && texts.values().all(|times| *times == 1), "{texts:?}");
    counts(&run, "rejected", 14);
    run.end_by(Signal::Terminate).exits(0).does_not_say("comes again");
    assert_eq!((outside.depth(&dead), outside.depth(&broker.queue("picky"))), (Some(0), Some(0)));
}

#[track_caller]
fn counts(run: &Running, of: &str, errors: u32) {
    run.has_printed(|so_far| {
        let last = so_far.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        last.is_some_and(|metric| metric[of]["error"] == errors)
    });
}

/// What is counted already is acknowledged meanwhile, and an end is not held up; each batch is published in the end.
fn derived_logs_are_waited_for_so_long(broker: &Broker) {
    let (outside, full) = five(broker, "info");
    let folder = tempfile::tempdir().expect("a folder");
    let echo = guest("echo").severities(&["error"]).publishes("info").write(folder.path());
    declare_echo(broker, &echo);
    let echoing = |arguments: &[&str]| {
        let run = broker.loghost(["run", "--grant", "publish", "--every", "50ms", "--format", "json"]);
        run.args(["--grace", "2s"]).args(arguments).arg(&echo)
    };
    let send = |logs: usize| publish(broker).stdin("any\n".repeat(logs)).end().exits(0);
    let run = echoing(&[]).start();
    send(5);
    counts(&run, "counts", 5);
    outside.wait_for_depth(&broker.queue("echo"), 0);
    send(3);
    run.says("the broker has not taken the logs that it publishes within 1s: the batch comes again");
    run.end_by(Signal::Terminate).exits(0);
    assert_eq!(outside.depth(&broker.queue("echo")), Some(3));

    let run = echoing(&["--max-logs", "3"]).start();
    let derived = drain(&outside, &full, 8);
    assert!(derived.iter().all(|(_, text)| text == "derived"), "{derived:?}");
    run.end().exits(0);
    assert_eq!(outside.depth(&broker.queue("echo")), Some(0));
}

fn declare_echo(broker: &Broker, echo: &std::path::Path) {
    broker.loghost(["run", "--declare-only", "--grant", "publish"]).arg(echo).end().exits(0);
}

/// That ends the consumer, and no other.
fn dead_letters_are_waited_for_so_long(broker: &Broker) {
    let (outside, picky, folder) = picky(broker);
    let plain = guest("plain").write(folder.path());
    declare(broker, std::slice::from_ref(&plain));
    publish(broker).stdin("bad\n".repeat(8)).end().exits(0);
    let run = broker.loghost(["run", "--retry-for", "1s", "--every", "50ms", "--format", "json"]);
    let run = run.args([&picky, &plain]).start();
    run.says("takes no dead letter (tried for 1s)");
    publish(broker).stdin("later\n").end().exits(0);
    outside.wait_for_depth(&broker.queue("plain"), 0);
    outside.wait_for_depth(&broker.queue("picky"), 6);
    run.end_by(Signal::Terminate).exits(69);
    assert_eq!(outside.depth(&format!("{}.dead", broker.queue("picky"))), Some(3));
}

/// Where that is asked for; what the others have in hand is finished.
fn a_consumer_that_gives_up_ends_all(broker: &Broker) {
    let (outside, picky, folder) = picky(broker);
    let plain = guest("plain").write(folder.path());
    declare(broker, std::slice::from_ref(&plain));
    publish(broker).stdin("bad\n".repeat(8)).end().exits(0);
    let run = broker.loghost(["run", "--retry-for", "1s", "--exit-on-failure"]).args([&picky, &plain]);
    let output = run.end().exits(69).says("ending all, as picky has ended (--exit-on-failure)");
    output.does_not_say("[plain]").prints("[plain]");
    assert_eq!(outside.depth(&broker.queue("plain")), Some(0));
}

/// What it does not wait for goes on until the process has ended, and meets nothing that has gone before.
fn an_end_waits_so_long_for_dead_letters(broker: &Broker) {
    // Nobody reads it, so that the end of the process takes its time.
    let (outside, picky, folder) = picky_with(broker, &"x".repeat(500_000));
    publish(broker).stdin("good\n".to_owned() + &"bad\n".repeat(8)).end().exits(0);
    let run = broker.loghost(["run", "--grace", "300ms"]).arg(&picky).folder(folder.path());
    let run = run.after("mkfifo unread; exec 3<>unread >unread").start();
    run.says("the broker refuses dead letters for the queue");
    let output = run.end_by(Signal::Terminate).exits(69).says("could not finish within 300ms (--grace)");
    output.does_not_say("panicked");
    assert_eq!(outside.depth(&format!("{}.dead", broker.queue("picky"))), Some(3));
    outside.wait_for_at_least(&broker.queue("picky"), 5);
}

/// What was refused on the connection that is gone is sent again on the next one, in its order.
fn refused_logs_survive_a_lost_connection() -> Result<(), Skip> {
    let mut node = rabbitmq::private(Version::V3, Setup::default())?;
    let broker = Broker::at(node.url());
    let (outside, queue) = five(&broker, "error");
    let mut publish = publish(&broker).start();
    (1..=6).for_each(|n| publish.write_line(&n.to_string()));
    publish.says("the broker refused the log");
    (7..=20).for_each(|n| publish.write_line(&n.to_string()));
    drop(outside);
    node.kill();
    publish.says("lost the connection");
    node.restart();
    publish
        .has_said(|said| said.lines().any(|line| line.ends_with("again") && line.contains("connected to")));
    let outside = broker.outside();
    let mut drained = Vec::new();
    while drained.len() < 20 {
        // A confirmation that was lost is no fault: what it was for comes twice.
        let log = drain(&outside, &queue, 1).remove(0);
        if !drained.contains(&log) {
            drained.push(log);
        }
    }
    assert_eq!(drained, numbers(1, 20), "{publish}");
    check(&publish.end().exits(0), 20, 0);
    Ok(())
}

/// One log that the broker never takes is no reason to keep back the others.
fn a_log_too_large_is_given_up() -> Result<(), Skip> {
    let setup = Setup { config: "max_message_size = 65536", ..Setup::default() };
    let node = rabbitmq::private(Version::V3, setup)?;
    let broker = Broker::at(node.url());
    let (outside, queue) = (broker.outside(), format!("{}-kept", broker.prefix()));
    outside.listen(&queue, &broker.exchange("error"));
    let mut publish = publish(&broker).start();
    for n in 1..=30 {
        publish.write_line(&if n % 10 == 0 { "x".repeat(100_000) } else { n.to_string() });
    }
    publish.has_said(|said| said.matches("which is given up: PRECONDITION_FAILED").count() == 3);
    publish.write_line("31");
    let output =
        publish.end().exits(65).says("/10 (error of web-1, 100000 bytes)").says("/20 (").says("/30 (");
    check(&output, 28, 3);
    // What was under way when the channel was closed comes twice.
    let kept: BTreeMap<_, _> = numbers(1, 31).into_iter().filter(|(n, _)| !n.ends_with('0')).collect();
    let depth = outside.depth(&queue).and_then(|depth| usize::try_from(depth).ok());
    let drained = drain(&outside, &queue, depth.expect("the queue is there"));
    assert_eq!(drained.into_iter().collect::<BTreeMap<_, _>>(), kept);
    Ok(())
}
