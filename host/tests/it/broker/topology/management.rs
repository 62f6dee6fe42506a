//! The same where the management plugin can be asked: it tells which bindings there are, and which policies.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use lapin::ExchangeKind;
use libtest_mimic::Trial;

use super::{arrives_again, ends, run, says_missing};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Running, Signal};
use crate::support::metrics::counts;
use crate::support::outside::Outside;
use crate::support::rabbitmq::managed;
use crate::support::{Skip, TIMEOUT, needing};

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let mut add = |name: &str, body: fn(Kind) -> Result<(), Skip>| {
            trials.push(needing(format!("{}::topology::{name}", kind.name()), move || body(kind)));
        };
        add("a_missing_binding_is_said", a_missing_binding_is_said);
        add("a_binding_that_no_rule_names_is_said", a_binding_that_no_rule_names_is_said);
        add("a_changed_policy_is_said_once", a_changed_policy_is_said_once);
        add("a_new_delivery_limit_is_told_of", a_new_delivery_limit_is_told_of);
        add("a_silent_management_api_is_left_alone", a_silent_management_api_is_left_alone);
    }
    trials
}

/// Repeats an action until it is reported: what happens between two steps of a check is repaired without a report,
/// and a change may not be visible at once.
#[track_caller]
fn until_said(run: &Running, text: &str, mut act: impl FnMut()) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        act();
        if run.said_within(Duration::from_secs(10), |said| said.contains(text)) {
            return;
        }
        assert!(Instant::now() < deadline, "nobody says `{text}`: {run}");
    }
}

/// Removes a binding, and waits until that is said; this is also the end of a check.
#[track_caller]
fn unbind(run: &Running, outside: &Outside, queue: &str, exchange: &str, key: &str) {
    let missing = format!(
        "[watchful] the queue `{queue}` was not bound any more to the exchange `{exchange}` with the key `{key}`: bound again"
    );
    until_said(run, &missing, || outside.unbind(queue, exchange, key));
}

#[track_caller]
fn says_times(run: &Running, text: &str, times: usize) {
    assert_eq!(run.stderr_so_far().matches(text).count(), times, "`{text}`: {run}");
}

/// The management plugin tells which bindings there are.
fn a_missing_binding_is_said(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let broker = Broker::on(kind, &node);
    let (run, _folder) = run(&broker, ["--management-url", &url]);
    let outside = broker.outside();
    let (info, error) = (broker.exchange("info"), broker.exchange("error"));
    unbind(&run, &outside, &broker.queue("watchful"), &error, "#");
    broker.loghost(["publish", "error", "bad", "--require-route"]).end().exits(0);
    counts(&run, "watchful", [0, 1]);
    unbind(&run, &outside, &broker.dead_queue("watchful"), &format!("{}.dead", broker.prefix()), "watchful");
    // An exchange has taken its bindings with it: that goes without saying.
    outside.delete_exchange(&info);
    says_missing(&run, &info);
    says_times(&run, "was not bound any more", 2);
    ends(run);
    Ok(())
}

fn a_binding_that_no_rule_names_is_said(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let broker = Broker::on(kind, &node);
    let (outside, exchange) = (broker.outside(), format!("{}-app", broker.prefix()));
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let rule = format!("{exchange}/former=error");
    let (former, _folder) = run(&broker, ["--management-url", &url, "--bind", &rule]);
    former.end_by(Signal::Terminate).exits(0).does_not_say("no --bind names");
    let (run, _folder) = run(&broker, ["--management-url", &url]);
    let said = format!(
        "the queue `{}` is also bound to the exchange `{exchange}` with the key `former`, which no --bind names",
        broker.queue("watchful")
    );
    run.says(&said);
    outside.bind_with(&broker.queue("watchful"), &exchange, "another");
    run.says("with the key `another`");
    assert_eq!(
        run.stderr_so_far().matches("which no --bind names").count(),
        2,
        "once, and when there are others: {run}"
    );
    ends(run);
    Ok(())
}

fn a_changed_policy_is_said_once(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let broker = Broker::on(kind, &node);
    let (run, _folder) = run(&broker, ["--management-url", &url]);
    let (outside, queue) = (broker.outside(), broker.queue("watchful"));
    let changed = format!("[watchful] the policy of the queue `{queue}` has changed: it now has ");
    let mut length = 1_000_000;
    until_said(&run, &changed, || {
        length += 1;
        let definition = format!(r#"{{"max-length":{length}}}"#);
        node.set_policy("short", "^loghost", &definition);
    });
    run.says(&format!(r#"{changed}the policy `short` {{"max-length":{length}}}"#));
    run.says(&format!(
        "warn  [watchful] the queue `{queue}` takes out what nobody has read, by max-length of"
    ));
    // More than once only if the policy was set again before the first was seen.
    let times = run.stderr_so_far().matches(&changed).count();
    unbind(&run, &outside, &queue, &broker.exchange("error"), "#");
    unbind(&run, &outside, &queue, &broker.exchange("info"), "#");
    says_times(&run, &changed, times);

    let operator =
        ["set_operator_policy", "brief", "^loghost", r#"{"expires":3600000}"#, "--apply-to", "queues"];
    node.rabbitmqctl(&operator);
    let both = "the policy `short` and the operator's policy `brief`";
    run.says(&format!(r#"{changed}{both} {{"expires":3600000,"max-length":{length}}}"#));
    node.rabbitmqctl(&["clear_operator_policy", "brief"]);
    node.rabbitmqctl(&["clear_policy", "short"]);
    run.says(&format!("{changed}no policy"));
    // Of the dead letters as well, which the policies were for too.
    let dead = broker.dead_queue("watchful");
    run.says(&format!("[watchful] the policy of the queue `{dead}` has changed: it now has no policy"));
    ends(run);
    Ok(())
}

fn a_new_delivery_limit_is_told_of(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let broker = Broker::on(kind, &node);
    let (run, _folder) = run(&broker, ["--management-url", &url, "--queue-type", "quorum"]);
    let (outside, queue, dead) = (broker.outside(), broker.queue("watchful"), broker.dead_queue("watchful"));
    unbind(&run, &outside, &queue, &broker.exchange("error"), "#");
    says_times(&run, "has a delivery limit of", 0);
    node.set_policy("limits", "^loghost", r#"{"delivery-limit":3}"#);
    let limit =
        |queue: &str| format!("warn  the queue {queue} has a delivery limit of 3 (the policy limits)");
    let said = run.says(&limit(&queue));
    assert!(said.contains("goes to the dead letters"), "{said}");
    let said = run.says(&limit(&dead));
    assert!(said.contains("the broker drops a log"), "{said}");
    unbind(&run, &outside, &queue, &broker.exchange("info"), "#");
    node.rabbitmqctl(&["clear_policy", "limits"]);
    for queue in [queue, dead] {
        run.says(&format!("the policy of the queue `{queue}` has changed: it now has no policy"));
    }
    says_times(&run, "has a delivery limit of", 2);
    ends(run);
    Ok(())
}

/// Bindings are made again without it, it is not asked at every check, and nothing is said of it.
fn a_silent_management_api_is_left_alone(kind: Kind) -> Result<(), Skip> {
    let broker = Broker::new(kind)?;
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("a port"));
    let (run, _folder) = run(&broker, ["--management-url", &url]);
    let outside = broker.outside();
    for severity in ["error", "info", "error"] {
        outside.unbind(&broker.queue("watchful"), &broker.exchange(severity), "#");
        arrives_again(&broker, &run, severity);
    }
    silent.set_nonblocking(true).expect("a socket");
    assert_eq!(silent.incoming().take_while(Result::is_ok).count(), 1, "questions");
    for words in ["management", "was not bound any more"] {
        says_times(&run, words, 0);
    }
    ends(run);
    Ok(())
}
