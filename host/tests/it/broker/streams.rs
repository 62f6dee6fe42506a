//! Streams as they are declared, looked at and bound, also where somebody else has made them.

use libtest_mimic::Trial;

use crate::publish::streams::WITH_STREAMS;
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, loghost};
use crate::support::guest::guest;
use crate::support::metrics::{errors, last_of};
use crate::support::outside::{DURABLE, text};
use crate::support::user::User;
use crate::support::{rabbitmq, test};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![test("streams::options_have_to_fit", options_have_to_fit)];
    trials.extend(on([Kind::Embedded], "streams::are_not_everywhere", are_not_everywhere));
    let mut add = |name: &str, body: fn(&Broker)| {
        trials.extend(on(WITH_STREAMS, &format!("streams::{name}"), body));
    };
    add("are_declared_for_each_severity", are_declared_for_each_severity);
    add("take_the_place_of_bindings", take_the_place_of_bindings);
    add("made_otherwise_are_used_as_they_are", made_otherwise_are_used_as_they_are);
    add("that_are_none_are_refused", that_are_none_are_refused);
    add("that_exist_need_no_permission", that_exist_need_no_permission);
    add("are_read_by_who_only_reads", are_read_by_who_only_reads);
    add("that_are_missing_need_a_permission", that_are_missing_need_a_permission);
    trials
}

fn options_have_to_fit() {
    let nowhere = ["--broker", "amqp://127.0.0.1:1"];
    let run = |options: &[&str]| loghost(["run", "plugins"]).args(options).args(nowhere).end().exits(2);
    run(&["--from", "first"]).says("--from is for streams, and is given with --queue-type stream");
    run(&["--queue-type", "quorum", "--from", "first"]).says("given with --queue-type stream");
    let address = ["--stream-address", "127.0.0.1:5552"];
    let refused = "--stream-address is for streams, and is given with --queue-type stream";
    run(&address).says(refused);
    loghost(["bench"]).args(address).end().exits(2).says(refused);
    for look in ["tail", "record"] {
        loghost([look]).args(address).args(nowhere).end().exits(2).says("--from <WHERE>");
    }
    // What is said for all commands is left out where it is for nothing.
    let no_broker = loghost(["tail"]).args(nowhere).env("LOGHOST_STREAM_ADDRESS", "127.0.0.1:5552");
    no_broker.end().exits(69).says("no broker at");
    run(&["--queue-type", "stream", "--restart"]).says("--from");
    run(&["--queue-type", "stream", "--declare-only", "--from", "first"]).says("--declare-only");
    run(&["--queue-type", "stream", "--ephemeral"]).says("--ephemeral");
    for (from, expected) in [
        ("yesterday", "expected first, last, next, a time ago such as 2h"),
        ("2026-11-25", "expected a time in UTC, such as 2026-11-25T10:00Z"),
        ("9999-01-01T00:00Z", "for what is published from now on, give next"),
        ("18446744073709551616", "expected an offset of at most"),
    ] {
        run(&["--queue-type", "stream", "--from", from]).says(expected);
    }
}

/// `loghost run --declare-only --queue-type stream` of a consumer of these severities.
fn declare(broker: &Broker, name: &str, severities: &'static [&'static str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest(name).severities(severities).processes().write(folder.path());
    broker.loghost(["run", "--declare-only", "--queue-type", "stream"]).arg(plugin).end()
}

fn are_not_everywhere(broker: &Broker) {
    let refused = declare(broker, "reader", &["error"]).exits(78);
    refused.says("cannot declare the stream").says("RabbitMQ has streams, from 3.9 on");
}

fn are_declared_for_each_severity(broker: &Broker) {
    let (error, critical) = (broker.exchange("error"), broker.exchange("critical"));
    let declared =
        format!("declared {} and the streams {error}, {critical} for reader", broker.queue("reader"));
    declare(broker, "reader", &["error", "critical"]).exits(0).says(&declared).does_not_say("warn");
    // What is there already stays as it is.
    let declared = format!("declared {} and the stream {error} for other", broker.queue("other"));
    declare(broker, "other", &["error"]).exits(0).says(&declared).does_not_say("warn");
    for stream in [&error, &critical] {
        let arguments = broker.arguments(stream).expect("it is declared");
        assert!(arguments.contains("stream"), "{arguments}");
    }
    assert_eq!(broker.arguments(&broker.exchange("info")), None);
    for queue in [broker.queue("reader"), broker.dead_queue("reader")] {
        let arguments = broker.arguments(&queue).expect("it is declared");
        assert!(arguments.contains("quorum"), "{arguments}");
    }
    for severity in ["error", "critical"] {
        broker.loghost(["publish", severity, "text", "--require-route"]).end().exits(0);
    }
    let outside = broker.outside();
    assert_eq!(outside.read_stream(&error, 1)[0].data, b"text");
    assert_eq!(outside.read_stream(&critical, 1)[0].data, b"text");
    assert_eq!(outside.depth(&broker.queue("reader")), Some(0));
}

/// Of a consumer that has a queue: until it reads the streams, what is published goes to both.
fn take_the_place_of_bindings(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("reader").severities(&["error"]).write(folder.path());
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    broker.loghost(["publish", "error", "before", "--require-route"]).end().exits(0);
    let queue = broker.queue("reader");
    let stream = ["--queue-type", "stream"];
    let declare = broker.loghost(["run", "--declare-only"]).args(stream).arg(&plugin).end().exits(0);
    declare.says(&format!("the queue {queue} is there already, made otherwise"));
    broker.loghost(["publish", "error", "between", "--require-route"]).end().exits(0);
    let outside = broker.outside();
    assert_eq!(outside.read_stream(&broker.exchange("error"), 1)[0].data, b"between");
    outside.wait_for_depth(&queue, 2);

    let run = broker.loghost(["run", "--from", "first", "--until-idle", "1s", "--format", "json"]);
    let output = run.args(stream).arg(&plugin).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "reader")), [2, 0], "{output}");
    broker.loghost(["publish", "error", "after", "--require-route"]).end().exits(0);
    assert_eq!(outside.read_stream(&broker.exchange("error"), 2)[1].data, b"after");
    assert_eq!(outside.depth(&queue), Some(0));
}

fn made_otherwise_are_used_as_they_are(broker: &Broker) {
    let stream = broker.exchange("error");
    let arguments = [("x-queue-type", text("stream")), ("x-max-age", text("1D"))];
    broker.outside().declare(&stream, DURABLE, &arguments);
    let publish = |options: &[&str]| publish(broker, options).end().exits(0);
    // Nothing, or the same in other words, is asked for.
    publish(&[]).does_not_say("made otherwise");
    publish(&["--retain-for", "24h"]).does_not_say("made otherwise");

    let differs = format!(
        "warn  the stream {stream} is there already, made otherwise (x-max-length-bytes is none, not 1000000000; \
         x-max-age is 86400s, not 604800s): it is used as it is; a policy changes that and deletes no stream: rabbitmqctl set_policy "
    );
    let output = publish(&["--retain-for", "7d", "--retain-bytes", "1GB"]).prints("total 1").says(&differs);
    assert_eq!(output.stderr.matches("made otherwise").count(), 1, "{output}");
    // The command that is said does that.
    let (_, command) = output.stderr.split_once("rabbitmqctl ").expect("a command");
    let command = command.lines().next().expect("a line").replace("NAME", &stream);
    let words: Vec<&str> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
    let version = broker.version().expect("a RabbitMQ");
    drop(rabbitmq::rabbitmqctl(version, &words));
    broker.outside().wait_until(|| {
        let queues = rabbitmq::rabbitmqctl(version, &["list_queues", "name", "policy"]);
        queues.lines().any(|line| line == format!("{stream}\t{stream}"))
    });
    let policies = rabbitmq::rabbitmqctl(version, &["list_policies"]);
    let policy = policies.lines().find(|line| line.contains(&stream)).expect("a policy");
    assert!(policy.contains("604800s") && policy.contains("1000000000"), "{policy}");
    assert_eq!(broker.outside().read_stream(&stream, 3).len(), 3);
    drop(rabbitmq::rabbitmqctl(version, &["clear_policy", &stream]));

    // Where a number is another.
    broker.outside().delete(&stream);
    publish(&["--retain-bytes", "2GB", "--segment-bytes", "1MB"]).does_not_say("made otherwise");
    let differs = "(x-max-length-bytes is 2000000000, not 1000000000)";
    publish(&["--retain-bytes", "1GB", "--segment-bytes", "1MB"]).says(differs);
}

/// `loghost publish` of a log that a stream is to keep.
fn publish(broker: &Broker, options: &[&str]) -> Loghost {
    broker.loghost(["publish", "error", "text", "--require-route", "--queue-type", "stream"]).args(options)
}

fn that_are_none_are_refused(broker: &Broker) {
    let stream = broker.exchange("error");
    let refused = format!("cannot declare the stream `{stream}`: PRECONDITION_FAILED");
    for arguments in [
        &[][..],
        &[("x-queue-type", text("classic"))],
        &[("x-queue-type", text("quorum"))],
        &[("x-expires", lapin::types::AMQPValue::LongInt(1_000_000))],
    ] {
        broker.outside().declare(&stream, DURABLE, arguments);
        let retention = &["--retain-for", "7d", "--retain-bytes", "1GB"];
        for options in [&[][..], retention] {
            let output = publish(broker, options).end().exits(78).says(&refused);
            output.says("a queue of that name is there that is no stream: delete it");
        }
        broker.outside().delete(&stream);
    }
}

/// Those of a user who only writes.
fn that_exist_need_no_permission(broker: &Broker) {
    let stream = broker.exchange("error");
    let publisher = User::new(broker, "publisher", ["^$", r"^PREFIX\.error$", "^$"]);
    let publish = || {
        let publish = publisher.loghost(["publish", "error", "text", "--require-route"]);
        publish.args(["--queue-type", "stream", "--retain-for", "7d"]).end()
    };
    declare(broker, "reader", &["error"]).exits(0);
    let output = publish().exits(0).prints("total 1");
    let output = output
        .says(&format!("the queue {stream} is used as it is, and how it was made is not known"))
        .says(&format!("the queue `{stream}` is used as it is bound: the user may not bind it"));
    assert_eq!(output.stderr.matches("is used as it is").count(), 2, "{output}");
    assert_eq!(broker.outside().read_stream(&stream, 1)[0].data, b"text");
}

/// The least that a host needs for them.
fn are_read_by_who_only_reads(broker: &Broker) {
    let stream = broker.exchange("error");
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("reader").severities(&["error"]).processes().write(folder.path());
    let declare = broker.loghost(["run", "--declare-only", "--queue-type", "stream"]);
    declare.arg(&plugin).end().exits(0);
    let permissions = [
        r"^loghost\.PREFIX\.reader\._lock$",
        r"^PREFIX\.dead$",
        r"^(loghost\.PREFIX\.reader|PREFIX\.error)$",
    ];
    let reader = User::new(broker, "reader", permissions);
    broker.loghost(["publish", "error", "text", "--require-route"]).end().exits(0);
    let run = reader.loghost(["run", "--queue-type", "stream", "--from", "first", "--max-logs", "1"]);
    let output = run.args(["--format", "json"]).arg(&plugin).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "reader")), [1, 0], "{output}");
    let unknown = format!("the queue {stream} is used as it is, and how it was made is not known");
    output.says(&unknown).does_not_say("cannot be opened yet");
}

fn that_are_missing_need_a_permission(broker: &Broker) {
    let stream = broker.exchange("error");
    broker.outside().declare_exchange(&stream, lapin::ExchangeKind::Topic);
    let publisher = User::new(broker, "publisher", ["^$", r"^PREFIX\.error$", "^$"]);
    let publish = ["publish", "error", "text", "--queue-type", "stream"];
    let output = publisher.loghost(publish).end().exits(78);
    output
        .says(&format!("cannot declare the stream `{stream}`: ACCESS_REFUSED"))
        .says("somebody who has that runs `loghost run PLUGIN --declare-only --queue-type stream`");
    assert_eq!(broker.outside().depth(&stream), None);

    // Who may declare, and not bind.
    let maker = User::new(broker, "maker", [r"^PREFIX\.error$", "^$", "^$"]);
    let output = maker.loghost(publish).end().exits(78);
    output.says(&format!(
        "the user may not bind the queue `{stream}` to the exchange `{stream}` with the key `#`"
    ));
    assert_eq!(broker.outside().depth(&stream), Some(0));
}
