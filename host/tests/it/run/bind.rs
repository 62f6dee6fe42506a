//! `loghost run --bind`: what is counted of exchanges of others, and shown of them.

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, Running, Signal, loghost};
use crate::support::dead_letters::{dead_letters, list, reject};
use crate::support::guest::guest;
use crate::support::metrics::{errors, last_of, tally};
use crate::support::outside::Outside;
use crate::support::tracked;

pub(super) const KINDS: [Kind; 4] = [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4, Kind::Quorum];

pub(crate) fn trials() -> Vec<Trial> {
    [
        on(KINDS, "bind::the_broker_delivers_what_is_wanted", the_broker_delivers_what_is_wanted),
        on(KINDS, "bind::each_log_of_a_message_has_its_verdict", each_log_of_a_message_has_its_verdict),
        on(KINDS, "bind::a_message_that_is_a_log_comes_back_whole", a_message_that_is_a_log_comes_back_whole),
        on(KINDS, "bind::is_exact_with_ids_when_killed", is_exact_with_ids_when_killed),
        on(KINDS, "bind::no_log_of_a_message_is_lost_when_killed", no_log_of_a_message_is_lost_when_killed),
        on(KINDS, "bind::users_say_what_levels_are", users_say_what_levels_are),
        on(KINDS, "bind::tail_shows_what_is_bound", tail_shows_what_is_bound),
        on([Kind::Embedded], "bind::rules_that_bring_nothing_are_said", rules_that_bring_nothing_are_said),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An exchange of a producer.
pub(super) fn exchange(broker: &Broker) -> (String, Outside) {
    let (exchange, outside) = (format!("{}-app", broker.prefix()), broker.outside());
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    (exchange, outside)
}

pub(super) fn publish(outside: &Outside, exchange: &str, key: &str, body: &str) {
    outside.publish(exchange, key, body.as_bytes(), BasicProperties::default());
}

#[track_caller]
pub(super) fn ends(run: Running) -> Output {
    run.end_by(Signal::Terminate).exits(0)
}

/// Where the rule says the severity, by the key. Of two rules the first holds.
fn the_broker_delivers_what_is_wanted(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let rules =
        ["*.error=error", "*.warning=info", "shop.#=critical"].map(|rule| format!("{exchange}/{rule}"));
    let plugins = ["error", "all"].map(|name| tracked(&format!("plugins/{name}.wasm")));
    let run = || {
        let run = broker.loghost(["run", "--format", "json"]);
        rules.iter().fold(run, |run, rule| run.args(["--bind", rule])).args(&plugins)
    };
    run().arg("--declare-only").end().exits(0);
    for _ in 0..30 {
        publish(&outside, &exchange, "shop.error", "disk full");
        publish(&outside, &exchange, "shop.warning", "disk nearly full");
    }
    assert_eq!(outside.depth(&broker.queue("error")), Some(30), "no more than it can need");
    let output = run().args(["--until-idle", "500ms"]).end().exits(0).does_not_say("not wanted");
    assert_eq!(last_of(&output.stdout, "error")["counts"], tally([0, 0, 30, 0]), "{output}");
    let all = last_of(&output.stdout, "all");
    assert_eq!((&all["counts"], &all["undetermined"]), (&tally([0, 30, 30, 0]), &json!(0)), "{output}");
}

/// Where no mistake can be refused: by whoever runs, and whoever looks.
fn rules_that_bring_nothing_are_said(broker: &Broker) {
    let (exchange, _) = exchange(broker);
    let rules =
        ["", "/shop.error=error", "/*.err*=error", "/x=critical"].map(|rule| format!("{exchange}{rule}"));
    let [all, behind, wildcard, unwanted] = &rules;
    let with_rules = |loghost: Loghost| rules.iter().fold(loghost, |run, rule| run.args(["--bind", rule]));
    let run = with_rules(broker.loghost(["run", "--until-idle", "100ms"])).arg(tracked("plugins/error.wasm"));
    let tail = with_rules(broker.loghost(["tail", "--severity", "error"])).start();
    tail.says("looking at what comes through");
    for said in [run.end().exits(0).stderr, tail.end_by(Signal::Terminate).stderr] {
        let warnings: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_once(" warn  --bind: "))
            .map(|(_, text)| text)
            .collect();
        let begin = [
            format!("`{behind}` is never used: `{all}`, which is before it, takes all that it matches"),
            format!("`{wildcard}` is never used: `{all}`, which is before it"),
            format!("`{unwanted}` is never used: `{all}`, which is before it"),
            format!("in `{wildcard}`, `err*` is taken as it is"),
            format!("`{unwanted}` brings nothing: no consumer here wants logs of that severity"),
        ];
        assert_eq!(warnings.len(), begin.len(), "{said}");
        for (warning, begin) in warnings.iter().zip(&begin) {
            assert!(warning.starts_with(begin), "{warning}, not {begin}");
        }
    }
    // What is meant is not said.
    let run = broker.loghost(["run", "--until-idle", "100ms", "--bind", behind, "--bind", all]);
    run.arg(tracked("plugins/error.wasm")).end().exits(0).does_not_say("--bind: ");
}

/// A message with three logs, the second of which is rejected.
const THREE: &str = r#"{"level":"error","msg":"one","logger":"shop.cart"}
{"level":"fatal","msg":"bad two","logger":"shop.cart","user":{"id":7}}
{"level":"debug","msg":"three"}"#;

fn each_log_of_a_message_has_its_verdict(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error", "critical"]).fields(&["attributes"]);
    let rejecting = picky.clone().on("bad", reject("no")).write(folder.path());
    let run = || broker.loghost(["run", "--format", "json", "--every", "20ms", "--bind", &exchange]);
    let running = run().arg(&rejecting).start();
    running.says("consuming from");
    publish(&outside, &exchange, "shop", THREE);
    running.has_printed(|so_far| {
        let metric = last_of(so_far, "picky");
        metric["counts"] == tally([0, 0, 1, 0]) && metric["rejected"] == tally([0, 0, 0, 1])
    });
    outside.wait_for_depth(&broker.dead_queue("picky"), 1);
    ends(running).says("not wanted in this run: 1 log");
    assert_eq!(outside.depth(&broker.queue("picky")), Some(0), "it is acknowledged when all are finished");
    let listed = list(broker, "picky", &[]);
    let [dead_letter] = &listed[..] else { panic!("{listed:?}") };
    let said = |keys: [&str; 5]| keys.map(|key| dead_letter[key].clone());
    assert_eq!(
        said(["message", "severity", "source", "log_number", "exchange"]),
        [json!("bad two"), json!("critical"), json!("shop.cart"), json!("2/3"), json!(exchange)]
    );
    assert_eq!(dead_letter["attributes"]["user.id"], "7", "{dead_letter}");
    // Mended, it takes the one log, also without the rule.
    let mended = picky.version("2").processes().write(folder.path());
    dead_letters(broker, "replay", ["picky", "--all"]).end().exits(0);
    let output = broker.loghost(["run", "--format", "json", "--max-logs", "1"]).arg(mended).end().exits(0);
    assert_eq!(last_of(&output.stdout, "picky")["counts"], tally([0, 0, 0, 1]), "{output}");
}

fn a_message_that_is_a_log_comes_back_whole(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error"]);
    let run = || broker.loghost(["run", "--format", "json", "--max-logs", "1", "--bind", &exchange]);
    let body = r#"{"level":"error","msg":"bad one","logger":"shop"}"#;
    let rejecting = picky.clone().on("bad", reject("no")).write(folder.path());
    let declare = broker.loghost(["run", "--declare-only", "--bind", &exchange]).arg(&rejecting);
    declare.end().exits(0);
    publish(&outside, &exchange, "shop", body);
    run().arg(&rejecting).end().exits(0);
    let listed = list(broker, "picky", &[]);
    assert_eq!((&listed[0]["message"], &listed[0]["log_number"]), (&json!(body), &Value::Null), "{listed:?}");
    assert_eq!((&listed[0]["severity"], &listed[0]["source"]), (&json!("error"), &json!("shop")));
    dead_letters(broker, "replay", ["picky", "--all"]).end().exits(0);
    // It is decoded again: what is rejected now is the text, and not the JSON.
    let other = picky.version("2").on("{", reject("not decoded")).write(folder.path());
    let output = run().arg(other).end().exits(0);
    assert_eq!(errors(&last_of(&output.stdout, "picky")), [1, 0], "{output}");
}

/// The exchange of another prefix is one of others; ids count in it as well.
fn is_exact_with_ids_when_killed(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let prefix = format!("{}x", broker.prefix());
    let lines: Vec<String> = (0..3000).map(|n| format!("log {n}")).collect();
    let rule = format!("{prefix}.error=error;type=topic");
    let run = || {
        let run = broker.loghost(["run", "--format", "json", "--every", "20ms", "--bind", &rule]);
        run.arg("--state").arg(folder.path()).arg(tracked("plugins/error.wasm"))
    };
    broker
        .loghost(["run", "--declare-only", "--bind", &rule])
        .arg(tracked("plugins/error.wasm"))
        .end()
        .exits(0);
    let publish = loghost(["publish", "--stdin", "--severity", "error", "--broker", broker.url()]);
    publish.args(["--prefix", &prefix]).stdin(lines.join("\n") + "\n").end().exits(0);
    for killed_at in [200, 1500] {
        let running = run().start();
        running.has_printed(|so_far| errors(&last_of(so_far, "error"))[0] >= killed_at);
        running.end_by(Signal::Kill);
        broker.outside().wait_until_unconsumed(&broker.queue("error"));
    }
    let output = run().args(["--until-idle", "500ms"]).end().exits(0);
    let metric = last_of(&output.stdout, "error");
    assert_eq!((errors(&metric)[0], &metric["without_id"]), (3000, &json!(0)), "{output}");
}

fn no_log_of_a_message_is_lost_when_killed(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("picky").severities(&["error"]).on("bad", reject("no")).write(folder.path());
    let state = folder.path().join("state");
    let run = || {
        let run = broker.loghost(["run", "--format", "json", "--every", "20ms", "--bind", &exchange]);
        run.arg("--state").arg(&state).arg(&plugin)
    };
    broker.loghost(["run", "--declare-only", "--bind", &exchange]).arg(&plugin).end().exits(0);
    let message =
        r#"[{"level":"error","msg":"a"},{"level":"error","msg":"bad"},{"level":"error","msg":"b"}]"#;
    let messages = (0..1000).map(|_| (&*exchange, "shop", message.to_owned(), BasicProperties::default()));
    outside.publish_all(messages);
    let running = run().start();
    running.has_printed(|so_far| errors(&last_of(so_far, "picky"))[0] >= 300);
    running.end_by(Signal::Kill);
    outside.wait_until_unconsumed(&broker.queue("picky"));
    let output = run().args(["--until-idle", "500ms"]).end().exits(0);
    let metric = last_of(&output.stdout, "picky");
    let [accepted, rejected] = errors(&metric);
    // Without ids, what was in hand when it was killed may be counted again: as much as may be under way.
    assert!((2000..=2000 + 2 * 1000).contains(&accepted), "{output}");
    assert!((1000..=1000 + 1000).contains(&rejected), "{output}");
    assert_eq!(outside.depth(&broker.queue("picky")), Some(0));
    assert!(
        outside.depth(&broker.dead_queue("picky")) >= Some(1000),
        "each of them is among the dead letters"
    );
}

/// What a level is, and what a message is that has none, which the report counts as well.
fn users_say_what_levels_are(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let state = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let run = broker.loghost(["run", "--format", "json", "--bind", &exchange]).args(arguments);
        run.arg("--state").arg(state.path()).arg(tracked("plugins/all.wasm"))
    };
    run(&["--declare-only"]).end().exits(0);
    for body in [
        r#"{"level":"warn","msg":"disk nearly full"}"#,
        r#"{"level":"NOTICE","msg":"cleaned"}"#,
        r#"{"level":"error","msg":"disk full"}"#,
        r#"{"level":"gold","msg":"a customer"}"#,
        "no level",
    ] {
        publish(&outside, &exchange, "shop", body);
    }
    let levels = ["--severity-map", "warn=error,notice=debug", "--default-severity", "critical"];
    let output = run(&levels).args(["--max-logs", "5"]).end().exits(0);
    let metric = last_of(&output.stdout, "all");
    assert_eq!((&metric["counts"], &metric["undetermined"]), (&tally([1, 0, 2, 2]), &json!(2)), "{output}");
    let report = || loghost(["report", "--state"]).arg(state.path());
    let output = report().args(["--format", "json"]).end().exits(0);
    assert_eq!(output.json()[0]["undetermined"], 2, "{output}");
    let output = report().end().exits(0);
    assert!(output.stdout.contains("2 did not say how serious they are"), "{output}");
}

fn tail_shows_what_is_bound(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let tail = broker.loghost(["tail", "--max-logs", "3", "--format", "json", "--severity", "error"]);
    let tail = tail.args(["--severity", "debug", "--bind", &exchange]).start();
    let [debug, error] = ["debug", "error"].map(|severity| broker.exchange(severity));
    tail.says(&format!("looking at what comes through {debug}, {error}, {exchange}"));
    outside.wait_until_routed(&exchange, "x.error");
    publish(&outside, &exchange, "shop", THREE);
    let output = tail.end().exits(0);
    let messages: Vec<Value> = output.json().iter().map(|log| log["message"].clone()).collect();
    assert_eq!(messages, ["", "one", "three"], "{output}");
}
