//! Streams in trouble: a broker that is killed, a listener that goes, a producer's bad batch, and permissions
//! that are missing or taken away.

use std::time::Duration;

use lapin::BasicProperties;
use libtest_mimic::Trial;

use super::stream_protocol::{broker_of_batches, publish_batches};
use super::streams::{KINDS, counted, plugin, publish, run, running};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Signal, loghost};
use crate::support::dead_letters::list;
use crate::support::guest::guest;
use crate::support::metrics::{counts, errors, last_of};
use crate::support::rabbitmq::{self, Setup, Version};
use crate::support::slow::{Delays, Slow};
use crate::support::user::User;
use crate::support::{Skip, needing};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        needing("stream::streams::outlive_a_broker_that_is_killed", outlive_a_broker_that_is_killed),
        needing("stream_protocol::a_bad_batch_costs_no_other_log", a_bad_batch_costs_no_other_log),
        needing(
            "stream_protocol::what_amqp_leaves_out_at_the_end_is_no_end",
            what_amqp_leaves_out_at_the_end,
        ),
    ];
    trials.extend(on(
        [Kind::RabbitMq, Kind::RabbitMq4],
        "streams::of_a_slow_broker_are_read_to_their_end",
        of_a_slow_broker_are_read_to_their_end,
    ));
    trials.extend(on(KINDS, "streams::beside_a_queue_that_stays_bound", beside_a_queue_that_stays_bound));
    trials.extend(on(KINDS, "streams::that_may_not_be_read_any_more", that_may_not_be_read_any_more));
    trials
}

/// Killed while it is read, and again without its listener for streams for a time.
fn outlive_a_broker_that_is_killed() -> Result<(), Skip> {
    let mut node = rabbitmq::private(Version::V4, Setup::default())?;
    let broker = Broker::on(Kind::Stream, &node);
    let folder = tempfile::tempdir().expect("a folder");
    let host = running(&broker, &plugin(), folder.path());
    publish(&broker.outside(), &broker, 500);
    node.store_topology();
    let so_far = fastrand::u64(1..=500);
    host.has_printed(|printed| errors(&last_of(printed, "error"))[0] >= so_far);
    node.kill();
    node.restart();
    host.has_said(|said| said.matches("[error] consuming").count() >= 1);
    publish(&broker.outside(), &broker, 300);
    counts(&host, "error", [800, 0]);
    node.rabbitmqctl(&["eval", "ok = application:stop(rabbitmq_stream)."]);
    host.says("no listener for streams at");
    publish(&broker.outside(), &broker, 20);
    node.rabbitmqctl(&["eval", "ok = application:start(rabbitmq_stream)."]);
    counts(&host, "error", [820, 0]);
    let output = host.end_by(Signal::Terminate).exits(0).does_not_say("through AMQP 0-9-1");
    assert_eq!(last_of(&output.stdout, "error")["repeated"], 0, "{output}");
    assert_eq!(counted(run(&broker, &plugin()).arg("--state").arg(folder.path())), 820);
    Ok(())
}

/// It is one dead letter, which says how many logs it was.
fn a_bad_batch_costs_no_other_log() -> Result<(), Skip> {
    let broker = broker_of_batches()?;
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("error").severities(&["error"]).processes().write(folder.path());
    let state = folder.path().join("state");
    let host = running(&broker, &picky, &state);
    assert_eq!(publish_batches(&broker, &["gzip", "20", "bad", "10", "plain", "3", "gzip", "1"]), 34);
    counts(&host, "error", [24, 0]);
    let output = host.end_by(Signal::Terminate).exits(0);
    assert_eq!(last_of(&output.stdout, "error")["foreign"], 1, "{output}");
    let [dead_letter] = list(&broker, "error", &[]).try_into().expect("one dead letter");
    assert!(
        dead_letter.to_string().contains("its producer wrote 10 logs as a batch that cannot be read"),
        "{dead_letter}"
    );
    assert_eq!(counted(run(&broker, &picky).arg("--state").arg(&state)), 24);
    Ok(())
}

/// `loghost run` that reads the streams of a broker through AMQP 0-9-1.
fn run_by_amqp(url: &str, prefix: &str) -> Loghost {
    let run = loghost(["run", "--queue-type", "stream", "--every", "20ms", "--format", "json", "--broker"]);
    run.args([url, "--prefix", prefix]).unless_ephemeral(&[]).arg(plugin())
}

/// What a broker sends late is not taken for what is not there: the run does not end before the last log.
fn of_a_slow_broker_are_read_to_their_end(broker: &Broker) {
    run(broker, &plugin()).arg("--declare-only").end().exits(0);
    let outside = broker.outside();
    for _ in 0..6 {
        publish(&outside, broker, 100);
    }
    // Most logs are on their way for much longer than the run may be idle. What it asks for then comes sooner, and later than an
    // empty stream is waited for.
    let (soon, late) = (Duration::from_millis(800), Duration::from_secs(6));
    let slow = Slow::before(broker.url(), Delays { first: 300, soon, late });
    let run = run_by_amqp(&slow.url(broker.url()), broker.prefix());
    let output = run.args(["--from", "first", "--until-idle", "200ms"]).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "error")), [600, 0], "{output}");
}

/// Compressed batches are not sent there, so that nothing says where the stream ends that has them last.
fn what_amqp_leaves_out_at_the_end() -> Result<(), Skip> {
    let broker = broker_of_batches()?;
    run(&broker, &plugin()).arg("--declare-only").end().exits(0);
    publish_batches(&broker, &["plain", "5"]);
    publish_batches(&broker, &["gzip", "30"]);
    let folder = tempfile::tempdir().expect("a folder");
    let [first, next, native] = ["first", "next", "native"].map(|state| folder.path().join(state));
    let by_amqp = |state| run_by_amqp(broker.url(), broker.prefix()).arg("--state").arg(state);
    assert_eq!(counted(by_amqp(&first).args(["--from", "first"])), 5);
    assert_eq!(counted(by_amqp(&first)), 5, "again");
    assert_eq!(counted(run(&broker, &plugin()).args(["--from", "first", "--state"]).arg(&native)), 35);
    let host = by_amqp(&next).start();
    host.says("consuming from");
    publish(&broker.outside(), &broker, 2);
    counts(&host, "error", [2, 0]);
    host.end_by(Signal::Terminate).exits(0);
    let output = by_amqp(&first).args(["--until-idle", "500ms"]).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "error")), [7, 0], "{output}");
    // Those of the batch.
    output.says("did not come, 30 so far, the last ones from 5 to 34").says("compressed");
    assert_eq!(counted(by_amqp(&native)), 37, "from where the stream protocol has read to");
    Ok(())
}

/// A user who may not unbind the queue that its logs came from before: each comes twice, which is said.
fn beside_a_queue_that_stays_bound(broker: &Broker) {
    let classic = loghost(["run", "--declare-only", "--broker", broker.url(), "--prefix", broker.prefix()]);
    classic
        .args(["--queue-type", if broker.is_quorum() { "quorum" } else { "classic" }])
        .arg(plugin())
        .end()
        .exits(0);
    run(broker, &plugin()).arg("--declare-only").end().exits(0);
    let permissions =
        [r"^loghost\.PREFIX\.error\._lock$", r"^PREFIX\.dead$", r"^(loghost\.PREFIX\.error|PREFIX\.error)$"];
    let reader = User::new(broker, "reader", permissions);
    let folder = tempfile::tempdir().expect("a folder");
    let reading =
        || run(&broker.as_user(reader.name(), "s3cret"), &plugin()).arg("--state").arg(folder.path());
    let host = reading().start();
    host.says("may not unbind the queue");
    host.says("consuming from");
    let (outside, exchange) = (broker.outside(), broker.exchange("error"));
    outside.publish(&exchange, "web", b"x", BasicProperties::default().with_message_id("loghost:p/1".into()));
    outside.publish(&exchange, "web", b"x", BasicProperties::default());
    counts(&host, "error", [3, 0]);
    host.end_by(Signal::Terminate).exits(0);
    // Once somebody who may has unbound it, each comes once.
    running(broker, &plugin(), folder.path()).end_by(Signal::Terminate).exits(0);
    let host = running(&broker.as_user(reader.name(), "s3cret"), &plugin(), folder.path());
    publish(&outside, broker, 1);
    counts(&host, "error", [4, 0]);
    host.end_by(Signal::Terminate).exits(0);
}

/// It is noticed when the connection is made again, and read on as soon as that is allowed again.
fn that_may_not_be_read_any_more(broker: &Broker) {
    const ALL: [&str; 3] = [".*", ".*", ".*"];
    let user = User::new(broker, "reader", ALL);
    let folder = tempfile::tempdir().expect("a folder");
    let host = running(&broker.as_user(user.name(), "s3cret"), &plugin(), folder.path());
    let outside = broker.outside();
    publish(&outside, broker, 4);
    counts(&host, "error", [4, 0]);
    user.may([".*", ".*", r"^(?!PREFIX\.error$).*"]);
    let version = broker.version().expect("a RabbitMQ");
    rabbitmq::rabbitmqctl(version, &["close_all_user_connections", user.name(), "by a test"]);
    host.says("cannot be opened yet");
    publish(&outside, broker, 3);
    user.may(ALL);
    counts(&host, "error", [7, 0]);
    let output = host.end_by(Signal::Terminate).exits(0);
    assert_eq!(last_of(&output.stdout, "error")["repeated"], 0, "{output}");
}
