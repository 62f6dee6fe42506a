//! Users with only the permissions that their work needs.

use std::time::Duration;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;

use crate::support::amqp10::publish_undeliverable;
use crate::support::broker::{Broker, Kind};
use crate::support::cli::Signal;
use crate::support::guest::{Then, guest};
use crate::support::metrics::{counts, last_of, tally};
use crate::support::needing;
use crate::support::user::User;

/// RabbitMQ remembers what a channel may do until that has been idle for a second, or a few.
const IDLE: Duration = Duration::from_secs(3);

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in Kind::RABBITMQ {
        let mut add = |name: &str, body: fn(&Broker)| {
            trials.push(needing(format!("{}::permissions::{name}", kind.name()), move || {
                body(&Broker::new(kind)?);
                Ok(())
            }));
        };
        add("who_sets_up_configures", who_sets_up_configures);
        add("a_publisher_writes", a_publisher_writes);
        add("a_consumer_reads", a_consumer_reads);
        add("a_consumer_binds_what_it_may_read", a_consumer_binds_what_it_may_read);
        add("a_consumer_starts_again_and_again", a_consumer_starts_again_and_again);
        add("a_consumer_wants_more", a_consumer_wants_more);
        add("a_consumer_that_publishes", a_consumer_that_publishes);
        add("dead_letters_are_looked_at_and_replayed", dead_letters_are_looked_at);
        add("an_observer_looks_at_logs", an_observer_looks_at_logs);
        add("what_is_missing_is_named", what_is_missing_is_named);
        if kind == Kind::RabbitMq4 {
            add("a_consumer_takes_out_what_is_undeliverable", a_consumer_takes_out_what_is_undeliverable);
        }
    }
    trials
}

/// And then everything is there for the others.
fn who_sets_up_configures(broker: &Broker) {
    let setup = User::new(
        broker,
        "setup",
        [
            r"^(PREFIX|loghost\.PREFIX)\.",
            r"^(loghost\.PREFIX\.|PREFIX\.dead$)",
            r"^(PREFIX\.|loghost\.PREFIX\.)",
        ],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned()));
    let plugin = picky.write(folder.path());
    for queue_type in ["classic", "quorum"] {
        let declare = setup.loghost(["run", "--declare-only", "--queue-type", queue_type]).arg(&plugin);
        declare.end().exits(0).says("declared");
        broker.loghost(["publish", "error", "text", "--require-route"]).end().exits(0);
        let outside = broker.outside();
        outside.delete(&broker.queue("picky"));
        outside.delete(&broker.dead_queue("picky"));
    }
}

/// What whoever sets up does.
fn declare(broker: &Broker) -> (std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned()));
    let plugin = picky.write(folder.path());
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    (plugin, folder)
}

fn a_publisher_writes(broker: &Broker) {
    let publisher = User::new(broker, "publisher", ["^$", r"^PREFIX\.error$", "^$"]);
    // Nobody has declared anything.
    let refused = publisher.loghost(["publish", "error", "early"]).end();
    refused.exits(78).says(&format!("cannot declare the exchange `{}`", broker.exchange("error")));
    let _declared = declare(broker);
    publisher
        .loghost(["publish", "error", "text", "--require-route"])
        .end()
        .exits(0)
        .does_not_say("ACCESS_REFUSED");
    assert_eq!(broker.outside().depth(&broker.queue("picky")), Some(1));
    let lines = publisher.loghost(["publish", "--stdin", "--severity", "error"]).stdin("one\ntwo\n").end();
    lines.exits(0);
    assert_eq!(broker.outside().depth(&broker.queue("picky")), Some(3));
    let other = publisher.loghost(["publish", "info", "text"]).end();
    other.exits(78).says("ACCESS_REFUSED").says("the permission to write to it");
}

/// It neither declares nor binds; with the permission for its lock, hosts take turns as others do.
fn a_consumer_reads(broker: &Broker) {
    let (plugin, _folder) = declare(broker);
    let lock = r"^loghost\.PREFIX\.picky\._lock$";
    for configure in [lock, "^$"] {
        let role = if configure == lock { "turns" } else { "reads" };
        let consumer = User::new(broker, role, [configure, r"^PREFIX\.dead$", r"^loghost\.PREFIX\.picky$"]);
        let publish = |text: &str| drop(broker.loghost(["publish", "error", text]).end().exits(0));
        let before = broker.outside().depth(&broker.dead_queue("picky")).expect("it was declared");
        let run = consumer.loghost(["run", "--every", "50ms", "--format", "json"]).arg(&plugin).start();
        publish("good");
        publish("bad");
        counts(&run, "picky", [1, 1]);
        let output = run.end_by(Signal::Terminate).exits(0);
        let output = output
            .says("is used as it is, and how it was made is not known: the user may not declare it")
            .does_not_say("cannot be opened yet");
        let bound =
            format!("the queue `{}` is used as it is bound: the user may not bind it", broker.queue("picky"));
        assert_eq!(output.stderr.matches(&bound).count(), 1, "{output}");
        assert_eq!(broker.outside().depth(&broker.queue("picky")), Some(0));
        assert_eq!(broker.outside().depth(&broker.dead_queue("picky")), Some(before + 1));
    }
}

/// For that it needs a queue of its own; without one, it says so.
fn a_consumer_takes_out_what_is_undeliverable(broker: &Broker) {
    let (plugin, _folder) = declare(broker);
    let queue = r"loghost\.PREFIX\.picky";
    let lock = format!(r"^{queue}\._lock$");
    let consumer = User::new(broker, "reads", [&lock, r"^PREFIX\.dead$", &format!("^{queue}$")]);
    publish_undeliverable(broker, "error", "none");
    drop(broker.loghost(["publish", "error", "text"]).end().exits(0));
    let run = || consumer.loghost(["run", "--every", "50ms", "--format", "json"]).arg(&plugin).start();
    let refused = run();
    refused.says("it cannot be taken out through AMQP 1.0 (cannot declare ");
    refused.end_by(Signal::Terminate).exits(0).says("the permission to configure it");
    consumer.may([
        &format!(r"^{queue}\._(lock|undeliverable)$"),
        &format!(r"^(PREFIX\.dead|{queue}\._undeliverable)$"),
        &format!(r"^({queue}(\._undeliverable)?|PREFIX\.dead)$"),
    ]);
    let taken_out = run();
    taken_out.has_printed(|so_far| {
        let metric = last_of(so_far, "picky");
        metric["counts"] == tally([0, 0, 1, 0]) && metric["undeliverable"] == 1
    });
    taken_out.end_by(Signal::Terminate).exits(0);
}

/// It binds its queue to an exchange of others that it may read; another is said, and the rest goes on.
fn a_consumer_binds_what_it_may_read(broker: &Broker) {
    let (plugin, _folder) = declare(broker);
    let outside = broker.outside();
    let [app, secret] = ["app", "secret"].map(|name| format!("{}-{name}", broker.prefix()));
    for exchange in [&app, &secret] {
        outside.declare_exchange(exchange, ExchangeKind::Topic);
    }
    let queue = r"loghost\.PREFIX\.picky";
    let read = format!(r"^({queue}|PREFIX\.error|PREFIX-app)$");
    let write = format!(r"^(PREFIX\.dead|{queue})$");
    let consumer = User::new(broker, "binds", ["^$", &write, &read]);
    let bind = ["--bind", &app, "--bind", &secret];
    let run =
        consumer.loghost(["run", "--every", "50ms", "--format", "json"]).args(bind).arg(&plugin).start();
    run.says(&format!("logs of the exchange `{secret}` may not arrive: "));
    run.says("consuming from");
    let body = br#"{"level":"error","msg":"good"}"#;
    outside.publish(&app, "shop", body, BasicProperties::default());
    drop(broker.loghost(["publish", "error", "text"]).end().exits(0));
    counts(&run, "picky", [2, 0]);
    run.end_by(Signal::Terminate).exits(0);
}

/// More runs than the delivery limit return a log: returning it must not count as a failed delivery.
fn a_consumer_starts_again_and_again(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let waiting = guest("picky").severities(&["error"]).on("", Then::Retry("later".to_owned()));
    let plugin = waiting.write(folder.path());
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    let queue = broker.queue("picky");
    broker.loghost(["publish", "error", "text"]).end().exits(0);
    let consumer = User::new(broker, "again", ["^$", r"^PREFIX\.dead$", r"^loghost\.PREFIX\.picky$"]);
    let (policy, pattern) = (format!("{queue}-limit"), format!("^{queue}"));
    consumer.ctl(&["set_policy", &policy, &pattern, r#"{"delivery-limit":3}"#, "--apply-to", "queues"]);
    for _ in 0..10 {
        let run = consumer.loghost(["run"]).arg(&plugin).start();
        run.says("consuming from");
        broker.outside().wait_for_depth(&queue, 0);
        run.end_by(Signal::Terminate).exits(0).does_not_say("cannot be opened yet");
    }
    broker.outside().wait_for_depth(&queue, 1);
    consumer.ctl(&["clear_policy", &policy]);
}

/// What it cannot get is said.
fn a_consumer_wants_more(broker: &Broker) {
    let (plugin, folder) = declare(broker);
    let consumer = User::new(broker, "wider", ["^$", r"^PREFIX\.dead$", r"^loghost\.PREFIX\.picky$"]);
    let run = consumer.loghost(["run", "--every", "50ms", "--format", "json"]).arg(&plugin).start();
    run.says("consuming from");
    let wider = guest("picky").version("2").severities(&["error", "info"]);
    wider.write(folder.path());
    run.signal(Signal::Hangup);
    run.says("[picky] reloaded: version 2");
    let (queue, info) = (broker.queue("picky"), broker.exchange("info"));
    run.says(&format!("the user may not bind the queue `{queue}` to the exchange `{info}` with the key `#`"));
    run.says("loghost run PLUGIN --declare-only");
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    for severity in ["info", "error"] {
        broker.loghost(["publish", severity, "text", "--require-route"]).end().exits(0);
    }
    run.has_printed(|so_far| last_of(so_far, "picky")["counts"] == tally([0, 1, 1, 0]));
    run.end_by(Signal::Terminate).exits(0).does_not_say("cannot be opened yet");
}

/// Its own right to publish: missing at the start, at the first log, and later.
fn a_consumer_that_publishes(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("picky").severities(&["error"]).publishes("critical").write(folder.path());
    let user = User::new(broker, "echo", [r"^(PREFIX|loghost\.PREFIX)\.(error|dead|picky)", ".*", ".*"]);
    let run = |every: &str| {
        let run = user.loghost(["run", "--grant", "publish", "--every", every, "--format", "json"]);
        run.arg(&plugin).start()
    };
    let critical = broker.exchange("critical");
    run("1s").end().exits(78).says(&format!("cannot declare the exchange `{critical}`"));

    broker.outside().declare_exchange(&critical, ExchangeKind::Topic);
    let all = r"^(PREFIX|loghost\.PREFIX)\.(error|dead|picky)";
    user.may([all, all, ".*"]);
    let first = run("50ms");
    first.says("consuming from");
    publish(broker);
    let first = first.end().exits(78);
    first.says("[picky]").says(&critical).says("the permission to write to it");

    user.may([all, ".*", ".*"]);
    let later = run("50ms");
    counts(&later, "picky", [1, 0]);
    user.may([all, all, ".*"]);
    publish(broker);
    let mut published = 2;
    while !later.says_within(IDLE, "[picky] may not publish any more: the batch comes again") {
        counts(&later, "picky", [published, 0]);
        publish(broker);
        published += 1;
    }
    user.may([all, ".*", ".*"]);
    counts(&later, "picky", [published, 0]);
    later.end_by(Signal::Terminate).exits(0);
}

fn dead_letters_are_looked_at(broker: &Broker) {
    let (plugin, _folder) = declare(broker);
    broker.loghost(["publish", "error", "bad"]).end().exits(0);
    broker.loghost(["run", "--max-logs", "1"]).arg(plugin).end().exits(0);
    let observer = User::new(broker, "observer", ["^$", "^$", r"^loghost\.PREFIX\.picky\.dead$"]);
    let list = observer.loghost(["dead-letters", "list", "picky"]);
    list.end().exits(0).prints("bad");
    let rights = ["^$", "^$", r"^loghost\.PREFIX\.picky(\.dead)?$"];
    let reader = User::new(broker, "reader", rights);
    let refused = reader.loghost(["dead-letters", "replay", "picky", "--all"]).end().exits(78);
    refused
        .says("does not let this user publish to the queue")
        .says("amq.default")
        .prints("replayed 0  left 1");
    let rights = ["^$", r"^amq\.default$", r"^loghost\.PREFIX\.picky(\.dead)?$"];
    let replayer = User::new(broker, "replayer", rights);
    let replay = replayer.loghost(["dead-letters", "replay", "picky", "--all"]);
    replay.end().exits(0).prints("replayed 1  left 0");
}

/// It configures no exchange: a missing one is named.
fn an_observer_looks_at_logs(broker: &Broker) {
    let rights = [r"^amq\.gen-", r"^amq\.gen-", r"^(amq\.gen-|PREFIX\.error$)"];
    let observer = User::new(broker, "looker", rights);
    let tail = || observer.loghost(["tail", "--severity", "error", "--max-logs", "1"]);
    let exchange = broker.exchange("error");
    tail().end().exits(78).says(&format!("cannot declare the exchange `{exchange}`")).says("it is not there");
    let _declared = declare(broker);
    let looking = tail().start();
    looking.says("looking at");
    broker.loghost(["publish", "error", "text"]).end().exits(0);
    looking.end().exits(0).prints("text");
    let other = observer.loghost(["tail", "--severity", "info"]).end().exits(78);
    other.says(&broker.exchange("info"));
}

fn what_is_missing_is_named(broker: &Broker) {
    let (plugin, _folder) = declare(broker);
    let reader = User::new(broker, "stranger", ["^$", r"^PREFIX\.dead$", r"^loghost\.PREFIX\.new$"]);
    let run = reader.loghost(["run"]).arg(&plugin).end().exits(78);
    run.says("cannot consume the queue").says("the permission to read it");
    let folder = tempfile::tempdir().expect("a folder");
    let new = guest("new").severities(&["error"]).write(folder.path());
    let run = reader.loghost(["run"]).arg(new).end().exits(78);
    run.says("cannot declare the queue").says("it is not there").says("--declare-only");
}

pub(super) fn publish(broker: &Broker) {
    broker.loghost(["publish", "error", "text"]).end().exits(0);
}
