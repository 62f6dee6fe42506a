//! Delivery limits that others set: by a policy, or when they declared the queue.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;

use super::{NAME, QUORUM, QueueFixture, is_whole};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Signal, Unread};
use crate::support::outside::{DURABLE, text};
use crate::support::rabbitmq::{self, Node, Setup, free_port};
use crate::support::{Skip, needing};

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let name = |what: &str| format!("{}::queues::{what}", kind.name());
        trials.push(needing(name("with_a_limit_are_told_of"), move || with_a_limit_are_told_of(kind)));
        trials.push(needing(name("with_a_limit_lose_nothing"), move || with_a_limit_lose_nothing(kind)));
        trials.push(needing(name("double_nothing_for_an_interruption"), move || {
            double_nothing_for_an_interruption(kind)
        }));
    }
    trials
}

/// A node with a policy that sets a delivery limit, with the management plugin or without.
fn limited(kind: Kind, management: Option<u16>) -> Result<Node, Skip> {
    let config = management.map(rabbitmq::management);
    let plugins = if management.is_some() { "rabbitmq_management" } else { "" };
    let setup = Setup { config: &config.unwrap_or_default(), plugins, ..Setup::default() };
    let node = rabbitmq::private(kind.version().expect("a RabbitMQ"), setup)?;
    node.set_policy("limits", "^loghost", r#"{"delivery-limit":3}"#);
    Ok(node)
}

/// The management plugin tells of a policy that AMQP says nothing of.
fn with_a_limit_are_told_of(kind: Kind) -> Result<(), Skip> {
    let port = free_port();
    let node = limited(kind, Some(port))?;
    node.rabbitmqctl(&["add_user", "worker", "s3cret"]);
    node.rabbitmqctl(&["set_user_tags", "worker", "management"]);
    node.rabbitmqctl(&["set_permissions", "worker", ".*", ".*", ".*"]);
    let fixture = QueueFixture::new(Broker::on(kind, &node), QUORUM);
    let outside = fixture.broker.outside();
    let url = format!("http://worker:s3cret@127.0.0.1:{port}");
    let limit =
        |queue: &str| format!("warn  the queue {queue} has a delivery limit of 3 (the policy limits)");
    let host = fixture.run(["--management-url", &url]).start();
    host.says(&limit(&fixture.dead_queue()));
    let said = host.says(&limit(&fixture.queue()));
    for words in ["goes to the dead letters", "take delivery-limit out of it"] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    host.end_by(Signal::Terminate).exits(0).does_not_say("s3cret");

    // As those do who look after dead letters; and the variable does the same.
    fixture.make_dead_letters(&outside, 3);
    for _ in 0..8 {
        let list = fixture.dead_letters("list", []).env("LOGHOST_MANAGEMENT_URL", &url).end().exits(0);
        list.prints("bad 2").says(&limit(&fixture.dead_queue())).says("the broker drops a log");
    }
    is_whole(&outside, &fixture.dead_queue(), "bad", 3);

    // Where it is not, or does not let us in, is said if it was named, without a password.
    for wrong in [url.replace("s3cret", "wr0ng"), format!("http://worker:wr0ng@127.0.0.1:{}", free_port())] {
        let list = fixture.dead_letters("list", ["--management-url", &wrong]).end().exits(0);
        list.says("cannot find out about delivery limits").does_not_say("wr0ng");
    }
    let unfit = fixture.dead_letters("list", ["--management-url", "amqp://worker:wr0ng@127.0.0.1"]).end();
    unfit.exits(2).says("--management-url: no http:// or https://").does_not_say("wr0ng");
    Ok(())
}

/// Without the plugin the policy is not known, and still nothing is lost: looking at dead letters loses none, and a
/// log that reaches the limit becomes a dead letter, which can be replayed.
fn with_a_limit_lose_nothing(kind: Kind) -> Result<(), Skip> {
    let node = limited(kind, None)?;
    let fixture = QueueFixture::new(Broker::on(kind, &node), QUORUM);
    let outside = fixture.broker.outside();
    fixture.make_dead_letters(&outside, 5);
    for _ in 0..10 {
        let list = fixture.dead_letters("list", ["--format", "json"]).end().exits(0);
        assert_eq!(list.json().len(), 5, "{list}");
        fixture.dead_letters("list", ["--limit", "2"]).end().exits(0).prints("bad 1");
        drop(Unread::start(fixture.dead_letters("list", ["--format", "json"])));
    }
    is_whole(&outside, &fixture.dead_queue(), "bad", 5);

    fixture.publish(&outside, "log", 2);
    for _ in 0..3 {
        drop(fixture.takes_all(&outside).end_by(Signal::Kill));
        outside.wait_for_depth(&fixture.queue(), 2);
    }
    let host = fixture.takes_all(&outside);
    host.says(&format!("a log of the queue {} has come back 3 times", fixture.queue()));
    drop(host.end_by(Signal::Kill));
    outside.wait_for_depth(&fixture.dead_queue(), 2);
    let list = fixture.dead_letters("list", ["--format", "json", "--outcome", "dropped"]).end().exits(0);
    for (n, dead_letter) in list.json().into_iter().enumerate() {
        assert_eq!(dead_letter["message"], format!("log {n}"), "{list}");
        assert_eq!(
            (&dead_letter["dead_letter"], &dead_letter["severity"]),
            (&json!(true), &json!("error")),
            "{list}"
        );
        assert_eq!(dead_letter["reason"], "the broker took it out of the queue: delivery_limit", "{list}");
        assert_eq!(dead_letter["attributes"], json!({}), "{list}");
    }
    fixture.dead_letters("replay", ["--all"]).end().exits(0).prints("replayed 2  left 0");
    is_whole(&outside, &fixture.queue(), "log", 2);

    // One that somebody else has declared, who did not think of dead letters.
    outside.delete(&fixture.queue());
    let limit = ("x-delivery-limit", lapin::types::AMQPValue::LongInt(2));
    let single = ("x-single-active-consumer", lapin::types::AMQPValue::Boolean(true));
    outside.declare(&fixture.queue(), DURABLE, &[single, limit, ("x-queue-type", text("quorum"))]);
    let host = fixture.run([]).start();
    let said = host.says(&format!(
        "warn  the queue loghost.{}.{NAME} has a delivery limit of 2",
        fixture.broker.prefix()
    ));
    assert!(said.contains("for good") && said.contains("delete the queue when it is empty"), "{said}");
    host.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// `list` writes dead letters again before it shows any; if it is interrupted meanwhile, each is there once.
fn double_nothing_for_an_interruption(kind: Kind) -> Result<(), Skip> {
    const DEAD_LETTERS: usize = 400;
    let node = limited(kind, None)?;
    let fixture = QueueFixture::new(Broker::on(kind, &node), QUORUM);
    let outside = fixture.broker.outside();
    fixture.make_dead_letters(&outside, DEAD_LETTERS);
    let list = || fixture.dead_letters("list", ["--format", "json"]);
    for n in 0..8 {
        // They come back once, and could be dropped.
        drop(Unread::start(list()));
        outside.wait_for_depth(&fixture.dead_queue(), 400);
        let listing = list().start();
        while outside.depth(&fixture.dead_queue()) == Some(400) {}
        // It has them; nobody tells how far it is with writing them.
        thread::sleep(Duration::from_millis(n * 8));
        drop(listing.end_by(Signal::Interrupt));
        outside.wait_for_depth(&fixture.dead_queue(), 400);
    }
    let bodies: BTreeSet<Vec<u8>> =
        outside.take_all(&fixture.dead_queue()).into_iter().map(|dead_letter| dead_letter.data).collect();
    assert_eq!(bodies.len(), DEAD_LETTERS);
    Ok(())
}
