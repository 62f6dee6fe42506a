//! Permissions that a consumer loses while it runs.

use lapin::ExchangeKind;
use libtest_mimic::Trial;

use super::permissions::publish;
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Running, Signal};
use crate::support::guest::guest;
use crate::support::metrics::counts;
use crate::support::user::User;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(Kind::RABBITMQ, "lost_permissions::that_comes_back", that_comes_back);
    trials.extend(on(Kind::RABBITMQ, "lost_permissions::that_does_not_come_back", that_does_not_come_back));
    trials
}

const EVERYTHING: [&str; 3] = [".*", ".*", ".*"];
const NO_DECLARATION: [&str; 3] = ["^$", ".*", ".*"];

/// A host that has consumed, whose queue and whose exchange are deleted while it may declare neither.
fn without_its_queue<'a>(broker: &'a Broker, arguments: &[&str]) -> (User<'a>, Running, tempfile::TempDir) {
    let user = User::new(broker, "wavering", EVERYTHING);
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = ["one", "other"].map(|name| guest(name).severities(&["error"]).write(folder.path()));
    let run = user.loghost(["run", "--every", "50ms", "--format", "json"]).args(arguments);
    let run = run.args(plugins).start();
    run.says("consuming from");
    publish(broker);
    counts(&run, "one", [1, 0]);
    user.may(NO_DECLARATION);
    let outside = broker.outside();
    outside.delete_exchange(&broker.exchange("error"));
    outside.delete(&broker.queue("one"));
    run.says("[one] its queue cannot be opened yet");
    (user, run, folder)
}

/// It is waited for, and asked for again: what was refused on this connection need not be refused for good.
fn that_comes_back(broker: &Broker) {
    let (user, run, _folder) = without_its_queue(broker, &[]);
    run.says("needs the permission to configure it");
    user.may(EVERYTHING);
    broker.outside().wait_until_routed(&broker.exchange("error"), "key");
    counts(&run, "one", [2, 0]);
    let output = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(output.stderr.matches("cannot be opened yet").count(), 1, "{output}");
}

/// It concerns the one whose queue is gone, and no other.
fn that_does_not_come_back(broker: &Broker) {
    let (_user, run, _folder) = without_its_queue(broker, &["--retry-for", "2s"]);
    run.says("(tried for 2s)");
    let outside = broker.outside();
    outside.declare_exchange(&broker.exchange("error"), ExchangeKind::Topic);
    outside.bind_with(&broker.queue("other"), &broker.exchange("error"), "#");
    publish(broker);
    counts(&run, "other", [2, 0]);
    run.end_by(Signal::Terminate).exits(69);
}
