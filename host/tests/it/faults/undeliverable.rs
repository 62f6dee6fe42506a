//! Messages that RabbitMQ takes and cannot deliver through AMQP 0-9-1: it ends the connection at each attempt. They stop no log
//! that is behind them, and become dead letters with what they say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::amqp10::{
    Undeliverable, publish_undeliverable, publish_undeliverable_as, publish_undeliverable_to,
};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, Running, Signal, loghost};
use crate::support::dead_letters::{dead_letters, list};
use crate::support::metrics::{CONSUMERS, last_of, tally};
use crate::support::rabbitmq::{self, Node, Setup, Version};
use crate::support::relay::{Fault, Relay};
use crate::support::{needing, tracked};

/// Classic and quorum queues of both versions.
const KINDS: [Kind; 4] = [Kind::RabbitMq, Kind::RabbitMq4, Kind::Quorum, Kind::Quorum3];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add = |name: &str, body: fn(&Broker)| {
        trials.extend(on(KINDS, &format!("undeliverable::{name}"), body));
    };
    add("messages_stop_nothing", messages_stop_nothing);
    add("messages_concern_no_other_consumer", messages_concern_no_other_consumer);
    add("messages_are_taken_out_by_one_host", messages_are_taken_out_by_one_host);
    add("messages_that_can_be_delivered_are_counted", messages_that_can_be_delivered_are_counted);
    add("messages_are_kept_when_killed", messages_are_kept_when_killed);
    // Version 3 does not tell a consumer of AMQP 1.0 through which exchange a message came.
    let name = "undeliverable::messages_of_bound_exchanges_are_read_later";
    trials.extend(on([Kind::RabbitMq4, Kind::Quorum], name, messages_of_bound_exchanges_are_read_later));
    // It needs a plugin, which the shared node has.
    let without_plugin = |kind: Kind| {
        needing(format!("{}::undeliverable::messages_wait_for_the_plugin", kind.name()), move || {
            let node = rabbitmq::private(Version::V3, Setup::default())?;
            messages_wait_for_the_plugin(&Broker::on(kind, &node), &node);
            Ok(())
        })
    };
    trials.extend([Kind::RabbitMq, Kind::Quorum3].map(without_plugin));
    trials
}

fn publish_lines(broker: &Broker, severity: &str, lines: usize) {
    let publish = broker.loghost(["publish", "--stdin", "--require-route", "--severity", severity]);
    publish.stdin("a\n".repeat(lines)).end().exits(0);
}

fn plugins() -> [PathBuf; 4] {
    CONSUMERS.map(|consumer| tracked(&format!("plugins/{consumer}.wasm")))
}

/// How many logs of each severity a consumer has counted, and how many messages could not be delivered to it.
fn counts(stdout: &str, consumer: &str) -> (Value, Value) {
    let mut metric = last_of(stdout, consumer);
    (metric["counts"].take(), metric["undeliverable"].take())
}

/// There are logs before and behind them, and two are in a row. On version 4 each is another kind of message, and none has what
/// those of the other tests have.
fn messages_stop_nothing(broker: &Broker) {
    broker.loghost(["run", "--declare-only"]).args(plugins()).end().exits(0);
    for severity in ["info", "error", "critical"] {
        publish_lines(broker, severity, 40);
    }
    let kinds = match broker.version().expect("a RabbitMQ") {
        Version::V3 => [Undeliverable::LongId; 3],
        Version::V4 => [Undeliverable::Char, Undeliverable::LongContentType, Undeliverable::UuidAnnotation],
    };
    for (why, (severity, text)) in
        kinds.into_iter().zip([("error", "one"), ("error", "two"), ("critical", "three")])
    {
        publish_undeliverable_as(why, broker, &broker.exchange(severity), text);
    }
    for severity in ["info", "error", "critical"] {
        publish_lines(broker, severity, 60);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let run = || broker.loghost(["run", "--format", "json", "--until-idle", "1s", "--state"]).arg(&state);
    let output = run().args(plugins()).end().exits(0);
    for (consumer, counted, undeliverable) in [
        ("all", [0, 100, 100, 100], 3),
        ("critical", [0, 0, 0, 100], 1),
        ("debug-info", [0, 100, 0, 0], 0),
        ("error", [0, 0, 100, 0], 2),
    ] {
        let expected = (tally(counted), json!(undeliverable));
        assert_eq!(counts(&output.stdout, consumer), expected, "{consumer}: {output}");
        assert_eq!(broker.outside().depth(&broker.queue(consumer)), Some(0), "{consumer}: {output}");
        is_in_report(&state, consumer, undeliverable);
    }
    let output = output
        .says("[error] a message is not counted, and goes to the dead letters (RabbitMQ cannot deliver it");
    drop(output.says("2 that the broker could not deliver (undeliverable)"));

    let listed = list(broker, "all", &["--outcome", "undeliverable"]);
    let text = |dead_letter: &Value| dead_letter["message"].as_str().expect("a text").to_owned();
    // One that was on its way to a consumer goes back behind the next.
    let texts: BTreeSet<_> = listed.iter().map(text).collect();
    assert_eq!((listed.len(), texts), (3, ["one", "two", "three"].map(str::to_owned).into()));
    // Version 3 does not tell a consumer of AMQP 1.0 through which exchange a message came.
    if broker.version() == Some(Version::V4) {
        let one = listed.iter().find(|dead_letter| dead_letter["message"] == "one").expect("it is there");
        assert_eq!((&one["severity"], &one["source"]), (&json!("error"), &json!("web")));
        dead_letters(broker, "replay", ["error", "--all"]).end().exits(0);
        let again = run().args(plugins()).end().exits(0);
        assert_eq!(counts(&again.stdout, "error"), (tally([0, 0, 102, 0]), json!(2)), "{again}");
    }
}

#[track_caller]
fn is_in_report(state: &Path, consumer: &str, undeliverable: u64) {
    let report = loghost(["report", "--format", "json", "--state"]).arg(state);
    let report: Output = report.end().exits(0);
    let balances = report.json();
    let balance = balances.iter().find(|balance| balance["consumer"] == consumer).expect("a balance");
    assert_eq!(balance["undeliverable"], undeliverable, "{report}");
}

/// Also where they come while it runs.
fn messages_concern_no_other_consumer(broker: &Broker) {
    let plugins = [tracked("plugins/debug-info.wasm"), tracked("plugins/error.wasm")];
    let run = broker.loghost(["run", "--format", "json", "--every", "50ms"]).args(plugins).start();
    run.says("consuming from");
    publish_undeliverable(broker, "error", "one");
    for consumer in ["error", "debug-info"] {
        run.has_said(|so_far| {
            so_far.contains(&format!("[{consumer}] the broker has ended the connection several"))
        });
    }
    let has_counted = |consumer: &str, expected: [u64; 4], undeliverable: u64| {
        let expected = (tally(expected), json!(undeliverable));
        run.has_printed(|so_far| counts(so_far, consumer) == expected);
    };
    publish_lines(broker, "info", 200);
    has_counted("debug-info", [0, 200, 0, 0], 0);
    publish_lines(broker, "error", 50);
    has_counted("error", [0, 0, 50, 0], 1);
    publish_undeliverable(broker, "error", "two");
    publish_lines(broker, "error", 50);
    has_counted("error", [0, 0, 100, 0], 2);
    let ended = run.end_by(Signal::Terminate).exits(0);
    assert!(!ended.stderr.contains("consuming debug-info: lost the connection"), "{ended}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0));
}

/// Each end of a connection lets the other host take over.
fn messages_are_taken_out_by_one_host(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |state: &str| {
        let run = ["run", "--format", "json", "--every", "50ms", "--state"];
        broker.loghost(run).arg(folder.path().join(state)).arg(tracked("plugins/error.wasm")).start()
    };
    let first = start("state-1");
    first.says("consuming from");
    let second = start("state-2");
    second.says("standing by");
    publish_lines(broker, "error", 50);
    for text in ["one", "two"] {
        publish_undeliverable(broker, "error", text);
        publish_lines(broker, "error", 50);
    }
    let counted = |host: &Running| {
        let metric = last_of(&host.stdout_so_far(), "error");
        ["error", "undeliverable"].map(|what| {
            let value = if what == "error" { &metric["counts"][what] } else { &metric[what] };
            value.as_u64().unwrap_or_default()
        })
    };
    broker.outside().wait_until(|| {
        let [first, second] = [&first, &second].map(counted);
        // What was counted and not acknowledged when a connection ended, the other host counts as well: it has another state.
        first[0] + second[0] >= 150 && first[1] + second[1] >= 2
    });
    broker.outside().wait_for_depth(&broker.queue("error"), 0);
    for host in [first, second] {
        host.end_by(Signal::Terminate).exits(0);
    }
    let listed = list(broker, "error", &[]);
    let texts: BTreeSet<_> =
        listed.iter().map(|dead_letter| dead_letter["message"].as_str().expect("a text")).collect();
    assert_eq!(texts, ["one", "two"].into());
}

/// Without it, what is to be done is said, and the queue stays as it is; with it, the message is taken out.
fn messages_wait_for_the_plugin(broker: &Broker, node: &Node) {
    let plugin = tracked("plugins/error.wasm");
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    // As a producer of STOMP may.
    node.rabbitmqctl(&[
        "eval",
        &format!(
            r#"rabbit_basic:publish(rabbit_misc:r(<<"/">>, exchange, <<"{}">>), <<"web">>,
               [{{message_id, binary:copy(<<"i">>, 300)}}], <<"none">>)."#,
            broker.exchange("error")
        ),
    ]);
    publish_lines(broker, "error", 3);
    let run = broker.loghost(["run", "--format", "json", "--every", "50ms"]).arg(&plugin).start();
    run.says(&format!("to deliver the message at the head of the queue `{}`", broker.queue("error")));
    run.says("`rabbitmq-plugins enable rabbitmq_amqp1_0`");
    // Between two attempts it is in the queue; logs behind it may have come through, as a quorum queue returns them in another order.
    broker.outside().wait_for_at_least(&broker.queue("error"), 1);
    node.enable("rabbitmq_amqp1_0");
    run.has_printed(|so_far| counts(so_far, "error") == (tally([0, 0, 3, 0]), json!(1)));
    run.end_by(Signal::Terminate).exits(0);
    broker.outside().delete(&broker.queue("error"));
    broker.outside().delete(&broker.dead_queue("error"));
}

/// `loghost run` at another URL of a broker.
fn run_at(broker: &Broker, url: &str) -> Loghost {
    let run = loghost(["run", "--format", "json", "--every", "50ms", "--broker", url]);
    let queue_type = if broker.is_quorum() { "quorum" } else { "classic" };
    run.args(["--prefix", broker.prefix(), "--queue-type", queue_type])
}

/// Between the dead letter and its acceptance: it is found again, and nothing is lost.
fn messages_are_kept_when_killed(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, plugin) = (folder.path().join("state"), tracked("plugins/error.wasm"));
    let run = |url: &str| run_at(broker, url).arg("--state").arg(&state).arg(&plugin);
    let relay = Relay::before(broker.url(), Fault::Acknowledging);
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    publish_lines(broker, "error", 20);
    publish_undeliverable(broker, "error", "one");
    publish_lines(broker, "error", 30);
    let killed = run(&relay.url(broker.url())).start();
    relay.waits_for_an_acknowledgement();
    assert_eq!(list(broker, "error", &[]).len(), 1, "it is a dead letter before it is settled");
    killed.end_by(Signal::Kill);
    let output = run(broker.url()).args(["--until-idle", "1s"]).end().exits(0);
    assert_eq!(counts(&output.stdout, "error").0, tally([0, 0, 50, 0]), "{output}");
    assert_eq!(broker.outside().depth(&broker.queue("error")), Some(0), "{output}");
    let listed = list(broker, "error", &[]);
    let texts: Vec<_> = listed.iter().map(|dead_letter| &dead_letter["message"]).collect();
    assert_eq!(texts, ["one", "one"]);
}

/// Connections end for another reason: what is first in the queue is looked at, and goes back.
fn messages_that_can_be_delivered_are_counted(broker: &Broker) {
    let plugin = tracked("plugins/error.wasm");
    let relay = Relay::before(broker.url(), Fault::Delivering);
    broker.loghost(["run", "--declare-only"]).arg(&plugin).end().exits(0);
    publish_lines(broker, "error", 50);
    let run = run_at(broker, &relay.url(broker.url())).args(["--until-idle", "1s"]).arg(&plugin);
    let output = run.end().exits(0);
    let expected = (tally([0, 0, 50, 0]), json!(0));
    assert_eq!(counts(&output.stdout, "error"), expected, "{output}");
    assert_eq!(broker.outside().depth(&broker.dead_queue("error")), Some(0), "{output}");
    drop(output.says("what comes that way can be delivered"));
}

/// What it says is found when it is sent back: how to read it, the rule says.
fn messages_of_bound_exchanges_are_read_later(broker: &Broker) {
    let app = format!("{}-app", broker.prefix());
    broker.outside().declare_exchange(&app, ExchangeKind::Topic);
    let run = || {
        let run = broker.loghost(["run", "--format", "json", "--until-idle", "1s", "--bind", &app]);
        run.arg(tracked("plugins/all.wasm"))
    };
    broker.loghost(["run", "--declare-only", "--bind", &app]).arg(tracked("plugins/all.wasm")).end().exits(0);
    publish_undeliverable_to(broker, &app, r#"{"level":"error","msg":"one"}"#);
    let log = br#"{"level":"info","msg":"two"}"#;
    broker.outside().publish(&app, "web", log, BasicProperties::default());
    let output = run().end().exits(0);
    assert_eq!(counts(&output.stdout, "all"), (tally([0, 1, 0, 0]), json!(1)), "{output}");
    let listed = list(broker, "all", &[]);
    assert_eq!((&listed[0]["exchange"], &listed[0]["outcome"]), (&json!(app), &json!("undeliverable")));
    dead_letters(broker, "replay", ["all", "--all"]).end().exits(0);
    let output = run().end().exits(0);
    assert_eq!(counts(&output.stdout, "all"), (tally([0, 0, 1, 0]), json!(0)), "{output}");
}
