//! `loghost run --bind`: which exchanges of others queues are bound to, when these come and go, and when rules change.

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::json;

use super::bind::{KINDS, ends, exchange, publish};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::guest::guest;
use crate::support::metrics::{counts, errors, last_of};
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        on(KINDS, "bindings::an_exchange_comes_and_goes", an_exchange_comes_and_goes),
        on(KINDS, "bindings::an_exchange_is_declared_as_asked", an_exchange_is_declared_as_asked),
        on(KINDS, "bindings::an_exchange_is_used_as_it_is", an_exchange_is_used_as_it_is),
        on(KINDS, "bindings::what_is_not_wanted_any_more_is_unbound", what_is_not_wanted_any_more_is_unbound),
        on(KINDS, "bindings::a_former_rule_is_unbound", a_former_rule_is_unbound),
        on(KINDS, "bindings::a_name_may_have_any_character", a_name_may_have_any_character),
    ]
    .into_iter()
    .flatten()
    .collect();
    trials.extend(on(
        [Kind::RabbitMq4],
        "bindings::a_name_too_long_for_a_stream",
        a_name_too_long_for_a_stream,
    ));
    trials
}

/// A message that may find no queue.
fn error<'a>(exchange: &'a str, key: &'a str) -> (&'a str, &'a str, String, BasicProperties) {
    (exchange, key, "disk full".to_owned(), BasicProperties::default())
}

fn an_exchange_comes_and_goes(broker: &Broker) {
    let exchange = format!("{}-app", broker.prefix());
    let rule = format!("{exchange}/shop.#=error");
    let run = ["run", "--format", "json", "--every", "20ms", "--check-topology-every", "1s", "--bind", &rule];
    let run = broker.loghost(run).arg(tracked("plugins/error.wasm")).start();
    run.says(&format!("the exchange `{exchange}` is not there: it is looked for at intervals"));
    run.says("consuming from");
    let outside = broker.outside();
    for round in 1..=2 {
        outside.declare_exchange(&exchange, ExchangeKind::Topic);
        run.has_said(|said| {
            said.matches(&format!("the exchange `{exchange}` is there: bound")).count() == round
        });
        publish(&outside, &exchange, "shop.cart", "disk full");
        counts(&run, "error", [round as u64, 0]);
        outside.delete_exchange(&exchange);
        let missing = format!("the exchange `{exchange}` is not there");
        run.has_said(|said| said.matches(&missing).count() == round + 1);
    }
    ends(run);
}

fn an_exchange_is_declared_as_asked(broker: &Broker) {
    let exchange = format!("{}-app", broker.prefix());
    let rule = format!("{exchange};type=fanout;decode=logfmt");
    let run = ["run", "--format", "json", "--every", "20ms", "--default-severity", "error", "--bind", &rule];
    let run = broker.loghost(run).arg(tracked("plugins/error.wasm")).start();
    run.says("--bind takes from").contains(&exchange).then_some(()).expect("it is said");
    let outside = broker.outside();
    outside.wait_until_routed(&exchange, "any");
    publish(&outside, &exchange, "any", "level=info msg=fine");
    publish(&outside, &exchange, "", "level=crit msg=worse");
    publish(&outside, &exchange, "any", r#"level=error msg="disk full""#);
    // The question whether it is routed was an empty message, which does not say how serious it is.
    counts(&run, "error", [2, 0]);
    let output = ends(run);
    assert_eq!(last_of(&output.stdout, "error")["undetermined"], 1, "{output}");
}

/// It is of another type than the rule says, and goes with its last binding; declared is what is not there any more.
fn an_exchange_is_used_as_it_is(broker: &Broker) {
    let (exchange, outside) = (format!("{}-app", broker.prefix()), broker.outside());
    outside.declare_passing_exchange(&exchange);
    let rule = format!("{exchange}/shop=error;type=topic");
    let run = ["run", "--format", "json", "--every", "20ms", "--check-topology-every", "1s", "--bind", &rule];
    let run = broker.loghost(run).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    outside.publish_all([error(&exchange, "shop")]);
    counts(&run, "error", [1, 0]);
    outside.delete_exchange(&exchange);
    outside.wait_until_routed(&exchange, "shop");
    counts(&run, "error", [2, 0]);
    ends(run);
}

fn what_is_not_wanted_any_more_is_unbound(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let rules = [format!("{exchange}/e=error"), format!("{exchange}/i=info")];
    let run = |severities: &[&'static str]| {
        let plugin = guest("narrow").version(&severities.len().to_string()).severities(severities);
        let run = broker.loghost(["run", "--until-idle", "200ms", "--bind", &rules[0], "--bind", &rules[1]]);
        run.arg(plugin.write(folder.path())).end().exits(0);
    };
    run(&["error", "info"]);
    outside.wait_until_routed(&exchange, "i");
    run(&["error"]);
    let queue = broker.queue("narrow");
    assert_eq!(outside.depth(&queue), Some(0));
    outside.wait_until_routed(&exchange, "e");
    outside.publish_all([(&*exchange, "i", "text".to_owned(), BasicProperties::default())]);
    assert_eq!(outside.depth(&queue), Some(1), "only what has the key e");
}

/// Also when the host was killed, and where it had kept what it was not bound to: what is not there, and what somebody else has
/// unbound.
fn a_former_rule_is_unbound(broker: &Broker) {
    let (exchange, outside) = exchange(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let [former, other, missing] = ["former", "other", "missing"].map(|name| format!("{exchange}-{name}"));
    for name in [&former, &other] {
        outside.declare_exchange(name, ExchangeKind::Topic);
    }
    let run = |rules: &[&str]| {
        let run =
            broker.loghost(["run", "--format", "json", "--every", "20ms", "--state"]).arg(folder.path());
        let run = rules.iter().fold(run, |run, rule| run.args(["--bind", rule]));
        run.arg(tracked("plugins/error.wasm"))
    };
    let killed = |rules: &[&str]| {
        let running = run(rules).start();
        running.says("consuming from");
        running.end_by(Signal::Kill);
        outside.wait_until_unconsumed(&broker.queue("error"));
    };
    let queue = broker.queue("error");
    let rule = |exchange: &str| format!("{exchange}/*.error=error");
    killed(&[&rule(&former), &rule(&other), &rule(&missing)]);
    outside.wait_until_routed(&former, "shop.error");
    outside.unbind(&queue, &other, "*.error");
    let running = run(&[&rule(&exchange)]).start();
    // What was put into the queue to ask whether it is bound.
    running.has_printed(|so_far| last_of(so_far, "error")["foreign"] == 1);
    outside.declare_exchange(&missing, ExchangeKind::Topic);
    let exchanges = [&former, &other, &missing, &exchange];
    outside.publish_all(exchanges.map(|exchange| error(exchange, "shop.error")));
    counts(&running, "error", [1, 0]);
    ends(running);
    let ended = run(&[]).args(["--until-idle", "200ms"]).end().exits(0);
    let metric = last_of(&ended.stdout, "error");
    assert_eq!((errors(&metric), &metric["foreign"]), ([1, 0], &json!(1)), "{ended}");
    outside.publish_all([error(&exchange, "shop.error")]);
    assert_eq!(outside.depth(&queue), Some(0), "also where there is no rule any more");
}

fn a_name_may_have_any_character(broker: &Broker) {
    let (name, outside) = (format!("{}/a=b;c %", broker.prefix()), broker.outside());
    let rule = format!("{}%2Fa%3db%3Bc %25", broker.prefix());
    let run = broker.loghost(["run", "--format", "json", "--every", "20ms", "--check-topology-every", "1s"]);
    let run =
        run.args(["--bind", &format!("{rule}/x/%3D.#=error")]).arg(tracked("plugins/error.wasm")).start();
    run.says(&format!("the exchange `{name}` is not there"));
    run.has_said(|said| said.contains(&format!("`--bind '{};type=topic'`", rule.replace("%3d", "%3D"))));
    outside.declare_exchange(&name, ExchangeKind::Topic);
    run.says(&format!("the exchange `{name}` is there: bound"));
    outside.publish_all(["y", "x/=.web"].map(|key| error(&name, key)));
    counts(&run, "error", [1, 0]);
    ends(run);
}

/// Of a stream, the exchange's name is only a part.
fn a_name_too_long_for_a_stream(broker: &Broker) {
    let run = broker.loghost(["run", "--queue-type", "stream", "--bind", &"x".repeat(250)]);
    run.arg(tracked("plugins/error.wasm")).end().exits(2).says("a name of more than 255 bytes");
}
