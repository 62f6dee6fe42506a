//! A publisher whose broker goes away, comes back or never comes, and logs that the broker never accepts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on, on_each, on_nodes, start_again, start_embedded};
use crate::support::cli::{Signal, loghost};
use crate::support::rabbitmq::{Node, Setup, rabbitmqctl};
use crate::support::test;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("reconnect::embedded_broker_comes_back_empty", embedded_broker_comes_back_empty),
        test("reconnect::gives_up_after_a_time", gives_up_after_a_time),
        test("reconnect::waits_for_a_broker_to_start", waits_for_a_broker_to_start),
        test("reconnect::tries_a_wrong_password_once", tries_a_wrong_password_once),
    ];
    trials.extend(on_each("reconnect::declares_a_deleted_exchange_again", declares_a_deleted_exchange_again));
    trials.extend(on_nodes("reconnect::node_crashes", Setup::default(), node_crashes));
    let versions = [Kind::RabbitMq, Kind::RabbitMq4];
    trials.extend(on(versions, "reconnect::says_that_the_user_may_not", says_that_the_user_may_not));
    let narrow = Setup { config: "max_message_size = 65536", ..Setup::default() };
    trials.extend(on_nodes("reconnect::says_which_log_is_too_large", narrow, says_which_log_is_too_large));
    trials
}

/// What was not confirmed is sent again, although nothing new comes in.
fn embedded_broker_comes_back_empty() {
    let (broker, url) = start_embedded();
    let before = Broker::at(url.clone());
    let queue = format!("{}-kept", before.prefix());
    before.outside().listen(&queue, &before.exchange("info"));
    let publish = ["publish", "--stdin", "--severity", "info", "--source", "web-1", "--format", "json"];
    let mut publish = before.loghost(publish).start();
    publish.write_line("before");
    assert_eq!(before.outside().take(&queue).data, b"before");

    drop(broker.end_by(Signal::Kill));
    publish.says("lost the connection to the broker at");
    publish.says("trying again in");
    publish.write_line("meanwhile");
    let _broker = start_again(&url);
    publish
        .has_said(|said| said.lines().any(|line| line.contains("connected to") && line.ends_with("again")));

    let after = before;
    // What comes through an exchange that nobody but the publisher has declared.
    after.outside().listen(&queue, &after.exchange("info"));
    publish.write_line("after");
    let outside = after.outside();
    let message = loop {
        let message = outside.take(&queue);
        // It may come before there is a queue for it.
        if message.data != b"meanwhile" {
            break message;
        }
    };
    assert_eq!(message.data, b"after");
    let id = message.properties.message_id().as_ref().expect("an id").to_string();
    assert!(id.ends_with("/3"), "{id}");
    let output = publish.end().exits(0);
    assert_eq!(output.json()[0]["confirmed"]["info"], 3, "{output}");
    assert_eq!(output.json()[0]["unanswered"], 0, "{output}");
}

/// A RabbitMQ that is killed twice while it is published to has every log in the end.
fn node_crashes(node: &mut Node, broker: &Broker) {
    const LOGS: usize = 20_000;
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("error"));
    node.store_topology();
    let mut publish =
        broker.loghost(["publish", "--stdin", "--severity", "error", "--format", "json"]).start();
    for part in 0..4 {
        for n in 0..LOGS / 4 {
            publish.write_line(&format!("{}", part * LOGS / 4 + n + 1));
        }
        if part % 2 == 0 {
            // It is under way: not everything has been confirmed that was written.
            broker.outside().wait_for_at_least(&queue, 1000);
            node.kill();
            publish.has_said(|said| said.matches("lost the connection").count() > part / 2);
            node.restart();
            publish.has_said(|said| said.matches("connected to").count() > part / 2);
        }
    }
    publish.close_stdin();
    let output = publish.end().exits(0);
    assert_eq!(output.json()[0]["confirmed"]["error"], LOGS, "{output}");
    assert_eq!(output.json()[0]["unroutable"]["error"], 0, "{output}");
    let mut arrived = BTreeSet::new();
    for message in broker.outside().take_all(&queue) {
        let id = message.properties.message_id().as_ref().expect("an id").to_string();
        let (_, sequence) = id.rsplit_once('/').expect("a sequence");
        assert_eq!(sequence.as_bytes(), message.data, "a log has always the same id");
        arrived.insert(sequence.parse::<usize>().expect("a number"));
    }
    assert_eq!(arrived.len(), LOGS);
    assert_eq!(arrived.last(), Some(&LOGS));
}

/// It is told apart from other logs in flight, which are sent; it is not sent for ever.
fn says_which_log_is_too_large(_node: &mut Node, broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    broker.outside().listen(&queue, &broker.exchange("error"));
    let lines = format!("{}{}\n{}", "fits\n".repeat(300), "x".repeat(100_000), "fits\n".repeat(300));
    let publish = ["publish", "--stdin", "--severity", "error", "--source", "db-1", "--format", "json"];
    let output = broker.loghost(publish).stdin(lines).end().exits(65);
    let output = output.says("/301 (error of db-1, 100000 bytes)").says("PRECONDITION_FAILED");
    assert_eq!(output.json()[0]["refused"]["error"], 1, "{output}");
    assert_eq!(output.json()[0]["unanswered"], 0, "{output}");
    let confirmed = output.json()[0]["confirmed"]["error"].as_u64().expect("a number");
    assert!(confirmed >= 300, "{output}");
    assert!(u64::try_from(broker.outside().take_all(&queue).len()).is_ok_and(|n| n >= confirmed), "{output}");
}

fn says_that_the_user_may_not(broker: &Broker) {
    let (user, version) = (broker.prefix(), broker.version().expect("a RabbitMQ"));
    rabbitmqctl(version, &["add_user", user, "secret"]);
    rabbitmqctl(version, &["set_permissions", user, ".*", "^$", ".*"]);
    let publish = broker.as_user(user, "secret").loghost(["publish", "error", "text"]);
    publish.end().exits(78).says("ACCESS_REFUSED").says("needs the permission to write to it");
    rabbitmqctl(version, &["delete_user", user]);
}

fn declares_a_deleted_exchange_again(broker: &Broker) {
    let queue = format!("{}-kept", broker.prefix());
    let outside = broker.outside();
    outside.listen(&queue, &broker.exchange("info"));
    let mut publish = broker.loghost(["publish", "--stdin", "--severity", "info"]).start();
    publish.write_line("before");
    outside.wait_for_depth(&queue, 1);
    outside.delete_exchange(&broker.exchange("info"));
    publish.write_line("after");
    publish.close_stdin();
    publish.end().exits(0).prints("total 2");
}

const NOBODY: &str = "amqp://user:s3cret@127.0.0.1:1/";

fn gives_up_after_a_time() {
    let began = Instant::now();
    let publish = loghost(["publish", "error", "a", "--broker", NOBODY, "--retry-for", "1s"]).end();
    assert!(began.elapsed() >= Duration::from_secs(1), "{publish}");
    let publish = publish.exits(69).says("trying again in").says("(tried for 1s)").says("127.0.0.1:1");
    publish.does_not_say("s3cret");

    let (broker, url) = start_embedded();
    let here = Broker::at(url);
    let queue = format!("{}-kept", here.prefix());
    here.outside().listen(&queue, &here.exchange("info"));
    let mut publish = here.loghost(["publish", "--stdin", "--severity", "info", "--retry-for", "1s"]).start();
    publish.write_line("before");
    here.outside().take(&queue);
    drop(broker.end_by(Signal::Kill));
    publish.says("lost the connection");
    // It ends although its input does not.
    publish.has_said(|said| said.contains("(tried for 1s)"));
    publish.end().exits(69).prints("total 1");
}

fn waits_for_a_broker_to_start() {
    let (broker, url) = start_embedded();
    drop(broker.end_by(Signal::Kill));
    let publish = loghost(["publish", "error", "a", "--broker", &url, "--retry-for", "1m"]).start();
    publish.says("trying again in");
    let _broker = start_again(&url);
    publish.end().exits(0).prints("total 1").says("connected to");

    let publish = loghost(["publish", "error", "a", "--broker", NOBODY, "--retry-for", "1m"]).start();
    publish.says("trying again in");
    publish.end_by(Signal::Interrupt).exits(69).says("interrupted");
}

fn tries_a_wrong_password_once() {
    let (broker, url) = start_embedded();
    let wrong = url.replace("guest:guest", "guest:s3cret");
    let publish = loghost(["publish", "error", "a", "--broker", &wrong, "--retry-for", "1m"]).end();
    publish.exits(78).says("ACCESS_REFUSED").does_not_say("trying again").does_not_say("s3cret");
    drop(broker);
}
