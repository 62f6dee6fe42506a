//! `loghost status`: how far behind consumers are.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::guest::{Then, declare, guest};
use crate::support::rabbitmq::{free_port, managed};
use crate::support::{Skip, needing};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(Kind::QUEUES, "status::tells_who_is_stuck", tells_who_is_stuck);
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let name = format!("{}::status::all_are_found_by_the_management_api", kind.name());
        trials.push(needing(name, move || all_are_found_by_the_management_api(kind)));
    }
    trials
}

/// What it says of the consumers that are named, in JSON.
#[track_caller]
fn status<const N: usize>(broker: &Broker, consumers: [&str; N], code: i32) -> Vec<Value> {
    let status = broker.loghost(["status", "--format", "json", "--over", "100ms"]).args(consumers);
    status.end().exits(code).json()
}

fn tells_who_is_stuck(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned()));
    let plugin = picky.write(folder.path());
    declare(broker, std::slice::from_ref(&plugin));
    let empty = &status(broker, ["picky"], 0)[0];
    assert_eq!(
        (&empty["state"], &empty["backlog"], &empty["readers"]),
        (&"good".into(), &0.into(), &0.into())
    );

    for text in ["good", "bad"] {
        broker.loghost(["publish", "error", text]).end().exits(0);
    }
    broker.outside().wait_for_depth(&broker.queue("picky"), 2);
    let seen = status(broker, ["picky", "nobody", "picky"], 1);
    assert_eq!(seen.len(), 2, "{seen:?}");
    let (stuck, missing) = (&seen[0], &seen[1]);
    assert_eq!((&stuck["state"], &stuck["backlog"]), (&"stuck".into(), &2.into()), "{stuck}");
    assert_eq!(stuck["queue"], Value::from(broker.queue("picky")));
    assert_eq!(stuck["growth_per_second"], 0.0);
    assert_eq!((&missing["state"], &missing["backlog"]), (&"missing".into(), &Value::Null), "{missing}");
    let text = broker.loghost(["status", "picky", "nobody", "--over", "100ms"]).end().exits(1);
    text.prints("stuck: logs wait, and nobody reads").prints("has no queue");

    let run = broker.loghost(["run", "--every", "50ms"]).arg(&plugin).start();
    run.says("consuming from");
    broker.outside().wait_for_depth(&broker.dead_queue("picky"), 1);
    broker.outside().wait_for_depth(&broker.queue("picky"), 0);
    let read = &status(broker, ["picky"], 0)[0];
    assert_eq!((&read["state"], &read["readers"]), (&"good".into(), &1.into()), "{read}");
    assert_eq!((&read["backlog"], &read["dead_letters"]), (&0.into(), &1.into()), "{read}");
    run.end_by(Signal::Terminate).exits(0);
    let nobody_named = broker.loghost(["status"]).end();
    if !broker.is_rabbitmq() {
        nobody_named.exits(2).says("name them, as in `loghost status error critical`");
    }
    // What is said of one that was named is why it is not asked, not that one may be named.
    let why = if broker.is_rabbitmq() { "no management API at" } else { "the broker is no RabbitMQ" };
    let url = format!("http://127.0.0.1:{}", free_port());
    let wrong = || broker.loghost(["status", "--over", "100ms", "--management-url", &url]);
    let failed = wrong().end().exits(69).says(why).says("name them, as in `loghost status error critical`");
    failed.does_not_say("or give --management-url").does_not_say("delivery limits");
    let shown = wrong().arg("picky").end().exits(0).says(why);
    shown.does_not_say("only the management API").does_not_say("delivery limits");
}

fn all_are_found_by_the_management_api(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let broker = Broker::on(kind, &node);
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = ["one", "two"].map(|name| guest(name).severities(&["error"]).write(folder.path()));
    declare(&broker, &plugins);
    let all = || -> Output {
        let connection = ["--broker", broker.url(), "--prefix", broker.prefix(), "--management-url", &url];
        loghost(["status", "--format", "json", "--over", "100ms"]).args(connection).end()
    };
    let good = all().exits(0).does_not_say("only the management API").json();
    let names: Vec<&Value> = good.iter().map(|seen| &seen["consumer"]).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!((&good[0]["unacknowledged"], &good[0]["readers_waiting"]), (&0.into(), &0.into()));
    assert!(good[0]["published_per_second"].is_number(), "{good:?}");
    broker.loghost(["publish", "error", "text"]).end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("two"), 1);
    assert!(all().exits(1).json().iter().all(|seen| seen["state"] == "stuck"));
    Ok(())
}
