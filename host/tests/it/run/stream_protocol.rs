//! `loghost run --queue-type stream` through the stream protocol, where it differs from reading through AMQP 0-9-1: batches of
//! other producers, large chunks, and what the broker keeps of how far was read.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::Value;

use super::streams::{counted, plugin, run};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::guest::guest;
use crate::support::metrics::{counts, errors, last_of};
use crate::support::outside::Outside;
use crate::support::rabbitmq::{self, Setup, Version};
use crate::support::{Need, Skip, needing, repository, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![needing("stream_protocol::batches_of_other_producers_are_read", batches_are_read)];
    trials.push(needing("rabbitmq::stream_protocol::an_old_one_is_not_spoken", an_old_one_is_not_spoken));
    trials.extend(on([Kind::RabbitMq, Kind::RabbitMq4], "stream_protocol::is_not_needed", is_not_needed));
    for (name, body) in [
        ("stream_protocol::large_logs_are_read", large_logs_are_read as fn(&Broker)),
        ("stream_protocol::streams_of_other_severities_are_not_read", streams_of_others_are_not_read),
        ("stream_protocol::the_broker_keeps_how_far_was_read", the_broker_keeps_how_far_was_read),
        ("stream_protocol::a_stream_that_is_made_again_is_read", a_stream_that_is_made_again_is_read),
        ("stream_protocol::no_other_way_is_taken_from_an_address_that_is_given", no_other_way_is_taken),
        ("stream_protocol::it_is_kept_for_who_may_only_read", it_is_kept_for_who_may_only_read),
    ] {
        trials.extend(on([Kind::Stream], name, body));
    }
    trials
}

/// Publishes errors without ids.
#[track_caller]
pub(super) fn publish(outside: &Outside, broker: &Broker, logs: usize, text: &str) {
    let exchange = broker.exchange("error");
    outside.publish_all((0..logs).map(|_| (&*exchange, "web", text.to_owned(), BasicProperties::default())));
}

/// The broker is asked which streams it sends.
fn streams_of_others_are_not_read(broker: &Broker) {
    for (consumer, severities) in [("error", &["error"][..]), ("debug-info", &["debug", "info"])] {
        let host = run(broker, &tracked(&format!("plugins/{consumer}.wasm"))).start();
        host.says("consuming from");
        let list = ["list_stream_consumers", "--silent", "--formatter", "json", "stream"];
        let consumers = rabbitmq::rabbitmqctl(Version::V4, &list);
        let consumers: Vec<Value> = serde_json::from_str(&consumers).expect("JSON");
        let sent = consumers.iter().filter_map(|consumer| consumer["stream"].as_str());
        let sent = sent.filter(|stream| stream.starts_with(broker.prefix())).map(str::to_owned);
        let wanted = severities.iter().map(|severity| broker.exchange(severity));
        assert_eq!(sent.collect::<BTreeSet<_>>(), wanted.collect(), "{consumers:?}");
        host.end_by(Signal::Terminate).exits(0);
    }
}

/// Has the streams declared.
#[track_caller]
pub(super) fn declare(broker: &Broker) {
    run(broker, &plugin()).arg("--declare-only").end().exits(0);
}

/// A broker, for a test that publishes with Python's `rstream`.
pub(super) fn broker_of_batches() -> Result<Broker, Skip> {
    match Command::new("python3").args(["-c", "import rstream"]).output() {
        Ok(output) if output.status.success() => Broker::new(Kind::Stream),
        _ => Err(Skip::new(Need::Python, "python3 has no rstream: pip install 'rstream>=1.1,<2'")),
    }
}

/// Publishes these parts with `rstream`; how many messages that are.
#[track_caller]
pub(super) fn publish_batches(broker: &Broker, parts: &[&str]) -> u64 {
    let script = repository().join("host/tests/it/clients/stream.py");
    let port = broker.stream_port().expect("the stream protocol").to_string();
    let mut publish = Command::new("python3");
    let output = publish.arg(script).args([&port, &broker.exchange("error")]).args(parts).output();
    let output = output.expect("it started before");
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    said.strip_prefix("published ").and_then(|n| n.parse::<u64>().ok()).unwrap_or_else(|| panic!("{errors}"))
}

/// Batches with and without compression, and single messages, of Python's `rstream`.
fn batches_are_read() -> Result<(), Skip> {
    let broker = broker_of_batches()?;
    declare(&broker);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let picky = guest("error").severities(&["error"]).processes().write(folder.path());
    let first = publish_batches(&broker, &["gzip", "400", "plain", "7", "none", "50", "gzip", "1"]);
    assert_eq!(first, 458);
    publish(&broker.outside(), &broker, 5, "by AMQP");
    let run =
        |plugin: &Path, state: &Path| run(&broker, plugin).args(["--from", "first", "--state"]).arg(state);
    assert_eq!(counted(run(&plugin(), &folder.path().join("counting"))), first + 5);
    assert_eq!(counted(run(&picky, &state)), first + 5);
    let second = publish_batches(&broker, &["gzip", "30", "plain", "3"]);
    assert_eq!(counted(self::run(&broker, &picky).arg("--state").arg(&state)), first + 5 + second);
    // In the middle of a batch.
    let middle = self::run(&broker, &plugin()).args(["--from", "399"]);
    assert_eq!(counted(middle), first + 5 + second - 399);
    Ok(())
}

/// More than all of the credit has at once.
fn large_logs_are_read(broker: &Broker) {
    declare(broker);
    let outside = broker.outside();
    let text = "x".repeat(100_000);
    for _ in 0..6 {
        publish(&outside, broker, 60, &text);
    }
    assert_eq!(counted(run(broker, &plugin()).args(["--from", "first"])), 360);
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("error").severities(&["error"]).processes().write(folder.path());
    assert_eq!(counted(run(broker, &picky).args(["--from", "0"])), 360);
}

/// Without a state, the next run goes on where this one has ended.
fn the_broker_keeps_how_far_was_read(broker: &Broker) {
    let outside = broker.outside();
    declare(broker);
    publish(&outside, broker, 3, "before");
    let host = run(broker, &plugin()).start();
    host.says("consuming from");
    publish(&outside, broker, 5, "x");
    counts(&host, "error", [5, 0]);
    host.end_by(Signal::Terminate).exits(0);
    publish(&outside, broker, 7, "x");
    assert_eq!(counted(run(broker, &plugin())), 7);
    assert_eq!(counted(run(broker, &plugin())), 0);
    // Unless it is told to begin elsewhere.
    assert_eq!(counted(run(broker, &plugin()).args(["--from", "first"])), 15);
    publish(&outside, broker, 1, "x");
    assert_eq!(counted(run(broker, &plugin())), 1);
}

fn a_stream_that_is_made_again_is_read(broker: &Broker) {
    let outside = broker.outside();
    let host = run(broker, &plugin()).start();
    host.says("consuming from");
    outside.delete(&broker.exchange("error"));
    // It says that the stream has gone, and opens its queue again, or that the connection has ended.
    host.says("opening it");
    host.has_said(|said| said.matches("consuming").count() > 1);
    outside.wait_until_routed(&broker.exchange("error"), "web");
    publish(&outside, broker, 4, "x");
    host.has_printed(|so_far| errors(&last_of(so_far, "error"))[0] >= 5);
    host.end_by(Signal::Terminate).exits(0);
}

/// Where nothing listens for the stream protocol.
fn is_not_needed(broker: &Broker) {
    let host = run(broker, &plugin()).start();
    let said = host.says("streams are read through AMQP 0-9-1");
    assert!(said.contains(":5552") && said.contains("--stream-address"), "{said}");
    host.says("consuming from");
    publish(&broker.outside(), broker, 4, "x");
    counts(&host, "error", [4, 0]);
    let output = host.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.stderr.matches("through AMQP 0-9-1").count(), 1, "{output}");
}

/// `RabbitMQ` 3.10 speaks the stream protocol of its time, if its plugin is enabled.
fn an_old_one_is_not_spoken() -> Result<(), Skip> {
    let address = rabbitmq::free_address();
    let config = format!("stream.listeners.tcp.1 = {address}:5552\nstream.advertised_host = {address}");
    let setup =
        Setup { config: &config, plugins: "rabbitmq_stream", address: Some(address), ..Setup::default() };
    let node = rabbitmq::private(Version::V3, setup)?;
    let broker = Broker::on(Kind::RabbitMq, &node);
    let folder = tempfile::tempdir().expect("a folder");
    let run = || run(&broker, &plugin()).arg("--state").arg(folder.path());
    let host = run().start();
    let said = host.says("streams are read through AMQP 0-9-1");
    assert!(said.contains(&format!("{address}:5552")) && said.contains("RabbitMQ 3.13"), "{said}");
    host.says("consuming from");
    publish(&broker.outside(), &broker, 40, "x");
    counts(&host, "error", [40, 0]);
    host.end_by(Signal::Terminate).exits(0);
    publish(&broker.outside(), &broker, 7, "x");
    assert_eq!(counted(run()), 47);
    Ok(())
}

fn no_other_way_is_taken(broker: &Broker) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let run = || run(broker, &plugin()).args(["--stream-address", &address, "--retry-for", "1s"]);
    let output = run().end();
    assert_ne!(output.code(), Some(0), "{output}");
    output.says("no listener for streams at").does_not_say("through AMQP 0-9-1");
    let output =
        broker.loghost(["run", "--stream-address", "nowhere"]).unless_ephemeral(&[]).arg(plugin()).end();
    output.exits(2).says("HOST:PORT");
}

/// `RabbitMQ` 4.3 asks for no permission to write; older ones do, and refuse without a word.
fn it_is_kept_for_who_may_only_read(broker: &Broker) {
    let user = crate::support::broker::unique("reader");
    let (control, prefix) =
        (|arguments: &[&str]| rabbitmq::rabbitmqctl(Version::V4, arguments), broker.prefix());
    declare(broker);
    control(&["add_user", &user, "pw"]);
    let read_only = format!("^(?!{prefix}\\.error$).*");
    control(&["set_permissions", &user, ".*", &read_only, ".*"]);
    let reader = broker.as_user(&user, "pw");
    let host = run(&reader, &plugin()).start();
    host.says("consuming from");
    publish(&broker.outside(), broker, 4, "x");
    counts(&host, "error", [4, 0]);
    host.end_by(Signal::Terminate).exits(0).does_not_say("does not keep how far");
    publish(&broker.outside(), broker, 2, "x");
    assert_eq!(counted(run(&reader, &plugin())), 2);
    control(&["delete_user", &user]);
}
