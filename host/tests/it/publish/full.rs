//! A full queue that rejects messages (`reject-publish`): they are sent again until they are accepted.

mod consumers;
mod limited;

use std::collections::BTreeMap;
use std::fs;

use lapin::types::ShortString;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use self::limited::{five, limited};
use crate::support::broker::{Broker, Kind, on, on_each, on_nodes};
use crate::support::cli::{Loghost, Output, Running, Signal};
use crate::support::outside::Outside;
use crate::support::rabbitmq::{Node, Setup};

pub(crate) fn trials() -> Vec<Trial> {
    let narrow = Setup { config: "max_message_size = 65536", ..Setup::default() };
    [
        on_each("full::logs_are_sent_again_in_their_order", logs_are_sent_again_in_their_order),
        on_each("full::other_severities_go_on", other_severities_go_on),
        on_each("full::logs_are_given_up_after_a_time", logs_are_given_up_after_a_time),
        on_each("full::an_interruption_tells_how_many", an_interruption_tells_how_many),
        on_each("full::dead_letters_are_sent_again", consumers::dead_letters_are_sent_again),
        on(
            Kind::QUEUES,
            "full::dead_letters_are_waited_for_so_long",
            consumers::dead_letters_are_waited_for_so_long,
        ),
        on(
            Kind::QUEUES,
            "full::derived_logs_are_waited_for_so_long",
            consumers::derived_logs_are_waited_for_so_long,
        ),
        on_each("full::a_replay_waits_for_room", consumers::a_replay_waits_for_room),
        on_each("full::a_replay_counts_what_is_there", consumers::a_replay_counts_what_is_there),
        on_nodes(
            "full::refused_logs_survive_a_lost_connection",
            Setup::default(),
            refused_logs_survive_a_lost_connection,
        ),
        on_each("full::a_consumer_that_gives_up_ends_all", consumers::a_consumer_that_gives_up_ends_all),
        on(
            Kind::QUEUES,
            "full::an_end_waits_so_long_for_dead_letters",
            consumers::an_end_waits_so_long_for_dead_letters,
        ),
        on_nodes("full::a_log_too_large_is_given_up", narrow, a_log_too_large_is_given_up),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn publish(broker: &Broker) -> Loghost {
    broker.loghost(["publish", "--stdin", "--severity", "error", "--source", "web-1", "--format", "json"])
}

/// Takes so many messages out of a queue: the last numbers of their ids, and their texts.
#[track_caller]
fn drain(outside: &Outside, queue: &str, messages: u32) -> Vec<(String, String)> {
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
    let (outside, queue, is_quorum) = limited(broker, "error");
    let mut publish = publish(broker).start();
    let refused = write_until_refused(&mut publish, &outside, &queue);
    assert!(if is_quorum { refused > 5 } else { refused == 6 }, "{refused} was refused: {publish}");
    let line = publish.says("the broker refused the log");
    let named = format!("/{refused} (error of web-1");
    assert!(line.contains(&named) && line.contains("reject-publish"), "{line}");
    (refused + 1..=40).for_each(|n| publish.write_line(&n.to_string()));
    publish.close_stdin();
    assert_eq!(drain(&outside, &queue, 40), numbers(1, 40), "{publish}");
    let output = publish.end().exits(0).says("has taken the logs that it had refused");
    assert_eq!(output.stderr.matches("refused the log").count(), 1, "{output}");
    check(&output, 40, 0);
    assert_eq!(outside.depth(&queue), Some(0));
}

/// Publishes logs one by one, each when the last one is in the queue, until one is refused.
#[track_caller]
fn write_until_refused(publish: &mut Running, outside: &Outside, queue: &str) -> u32 {
    let refused = (1..40).find(|n| {
        publish.write_line(&n.to_string());
        let is_refused = || publish.stderr_so_far().contains("the broker refused the log");
        outside.wait_until(|| is_refused() || outside.depth(queue) == Some(*n));
        is_refused()
    });
    refused.unwrap_or_else(|| panic!("none is refused: {publish}"))
}

#[track_caller]
fn check(output: &Output, confirmed: u32, refused: u32) {
    let report: &Value = &output.json()[0];
    let found = (&report["confirmed"]["error"], &report["refused"]["error"], &report["unanswered"]);
    assert_eq!(found, (&json!(confirmed), &json!(refused), &json!(0)), "{output}");
}

/// The publisher of an `error` that is refused goes on with what is not.
fn other_severities_go_on(broker: &Broker) {
    let errors = five(broker, "error");
    let free = format!("{}-free", broker.prefix());
    errors.outside.listen(&free, &broker.exchange("info"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mixed.txt");
    fs::write(&file, "error x9 @web-1: a\ninfo x500 @web-1: b\n").expect("a file in a folder of ours");
    let publish = broker.loghost(["publish", "--file"]).arg(&file).start();
    publish.says("the broker refused the log");
    errors.outside.wait_for_depth(&free, 500);
    assert_eq!(errors.outside.depth(&errors.queue), Some(errors.full()), "{publish}");
    errors.make_room();
    assert_eq!(drain(&errors.outside, &errors.queue, 9).len(), 9);
    publish.end().exits(0).prints("error 9").prints("total 509");
}

/// Also what was not confirmed then is sent by the next one, from the first that was refused.
fn logs_are_given_up_after_a_time(broker: &Broker) {
    let errors = five(broker, "error");
    let (outside, queue, room) = (&errors.outside, &errors.queue, errors.room);
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let go_on = || publish(broker).args(["--retry-for", "1s", "--journal"]).arg(&journal).stdin(lines(1, 13));
    let output = go_on().end().exits(69).says("the broker refused the log").says("(tried for 1s)");
    let refused = 13 - room;
    check(&output.says(&format!("{refused} logs were refused")), room, refused);
    errors.make_room();
    assert_eq!(drain(outside, queue, room), numbers(1, room));
    let again = go_on().start();
    let rest = drain(outside, queue, refused);
    check(&again.end().exits(0), refused, 0);
    let rest: BTreeMap<_, _> = rest.into_iter().collect();
    assert!(rest.into_iter().eq(numbers(room + 1, 13).into_iter().collect::<BTreeMap<_, _>>()));
    assert_eq!(outside.depth(queue), Some(0));
}

fn an_interruption_tells_how_many(broker: &Broker) {
    for signal in [Signal::Terminate, Signal::Hangup] {
        let errors = five(broker, "error");
        let mut publish = publish(broker).start();
        (1..=13).for_each(|n| publish.write_line(&n.to_string()));
        publish.says("the broker refused the log");
        errors.outside.wait_for_depth(&errors.queue, errors.full());
        let refused = 13 - errors.room;
        let output = publish.end_by(signal).exits(69).says("interrupted");
        check(&output.says(&format!("{refused} logs were refused")), errors.room, refused);
        errors.outside.delete(&errors.queue);
    }
}

/// What was refused on the connection that is gone is sent again on the next one, in its order.
fn refused_logs_survive_a_lost_connection(node: &mut Node, broker: &Broker) {
    let (outside, queue, _) = limited(broker, "error");
    node.store_topology();
    let mut publish = publish(broker).start();
    let refused = write_until_refused(&mut publish, &outside, &queue);
    (refused + 1..=20).for_each(|n| publish.write_line(&n.to_string()));
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
}

/// A log that the broker never accepts does not hold back the others.
fn a_log_too_large_is_given_up(_node: &mut Node, broker: &Broker) {
    let (outside, queue) = (broker.outside(), format!("{}-kept", broker.prefix()));
    outside.listen(&queue, &broker.exchange("error"));
    let mut publish = publish(broker).start();
    for n in 1..=30 {
        publish.write_line(&if n % 10 == 0 { "x".repeat(100_000) } else { n.to_string() });
    }
    publish.has_said(|said| said.matches("which is given up: PRECONDITION_FAILED").count() == 3);
    publish.write_line("31");
    let output =
        publish.end().exits(65).says("/10 (error of web-1, 100000 bytes)").says("/20 (").says("/30 (");
    check(&output, 28, 3);
    // What was under way when the channel was closed comes twice.
    let accepted: BTreeMap<_, _> = numbers(1, 31).into_iter().filter(|(n, _)| !n.ends_with('0')).collect();
    let drained = drain(&outside, &queue, outside.depth(&queue).expect("the queue is there"));
    assert_eq!(drained.into_iter().collect::<BTreeMap<_, _>>(), accepted);
}
