//! A queue whose home node is down, in a cluster.

use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Signal, loghost};
use crate::support::guest::{Then, declare, guest};
use crate::support::metrics::{last_of_text, total};
use crate::support::rabbitmq::{self, Node, Version};
use crate::support::{self, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let (version3, version4) = (Kind::RabbitMq, Kind::RabbitMq4);
    let name = |kind: Kind, what: &str| format!("{}::cluster::{what}", kind.name());
    vec![
        needing(name(version3, "a_queue_whose_node_is_down_is_waited_for"), move || {
            let [here, mut there] = rabbitmq::cluster(Version::V3)?;
            a_queue_whose_node_is_down_is_waited_for(&Broker::on(version3, &here), &mut there);
            Ok(())
        }),
        // Most nodes of version 4 have to be there for anything to be declared. It takes a minute for each answer.
        support::long(&name(version4, "a_queue_whose_node_is_down_is_not_missing"), move || {
            let [here, _third, mut there] = rabbitmq::cluster(Version::V4)?;
            a_queue_whose_node_is_down_is_not_missing(&Broker::on(version4, &here), &mut there);
            Ok(())
        }),
        needing(name(Kind::Quorum, "a_queue_outlives_its_node"), || {
            let [here, _third, mut there] = rabbitmq::cluster(Version::V4)?;
            a_queue_outlives_its_node(&Broker::on(Kind::Quorum, &here), &mut there);
            Ok(())
        }),
    ]
}

const DOWN: &str = "is down or inaccessible";

fn a_queue_whose_node_is_down_is_waited_for(broker: &Broker, there: &mut Node) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky =
        guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned())).write(folder.path());
    let [error, critical] = ["error", "critical"].map(|name| tracked(&format!("plugins/{name}.wasm")));
    declare(broker, std::slice::from_ref(&critical));
    // A queue lives on the node that whoever declares it is connected to.
    let far = ["--broker", &there.url(), "--prefix", broker.prefix()];
    loghost(["run", "--declare-only"]).args(far).args([&error, &picky]).end().exits(0);
    broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin("bad\n".repeat(5)).end().exits(0);
    loghost(["run", "--until-idle", "1s"]).args(far).arg(&picky).end().exits(0);
    there.kill();

    // Nothing that is there is said not to be.
    let connection = ["picky", "--broker", broker.url(), "--prefix", broker.prefix()];
    let list = || loghost(["dead-letters", "list"]).args(connection);
    list().end().exits(69).says(DOWN);
    loghost(["dead-letters", "purge", "--all"]).args(connection).end().exits(69).says(DOWN);
    let brief = broker.loghost(["run", "--retry-for", "1s"]).arg(&error).end();
    brief.exits(69).says(DOWN).says("(tried for 1s)");
    let waiting_list = list().args(["--retry-for", "5m"]).start();

    let run = broker.loghost(["run", "--every", "50ms"]).args([&error, &critical]).start();
    let line = run.says(DOWN);
    assert!(line.contains("[error] its queue cannot be opened yet"), "{line}");
    run.says("consuming from");
    broker.loghost(["publish", "critical", "a", "--require-route"]).end().exits(0);
    run.prints("critical  1");
    there.restart();
    run.says("[error] consuming");
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(5));
    let run = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(run.stderr.matches(DOWN).count(), 1, "{run}");
    let listed = waiting_list.end().exits(0).says(DOWN);
    assert_eq!(listed.stdout.lines().count(), 6, "{listed}");
}

/// What is there is not said not to be, however late the broker says what it is.
fn a_queue_whose_node_is_down_is_not_missing(broker: &Broker, there: &mut Node) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").on("bad", Then::Reject("no".to_owned())).write(folder.path());
    let far = ["--broker", &there.url(), "--prefix", broker.prefix()];
    loghost(["run", "--declare-only"]).args(far).arg(&picky).end().exits(0);
    there.kill();
    let connection = ["picky", "--broker", broker.url(), "--prefix", broker.prefix()];
    let list = loghost(["dead-letters", "list"]).args(connection).start();
    list.end_within(Duration::from_mins(5)).exits(69).says("NOT_FOUND").says(&broker.queue("picky"));
}

/// Its other nodes go on with a quorum queue whose leader is down: nothing is lost, nothing is counted twice.
fn a_queue_outlives_its_node(broker: &Broker, there: &mut Node) {
    const LOGS: usize = 300;
    let (error, folder) = (tracked("plugins/error.wasm"), tempfile::tempdir().expect("a folder"));
    // Its leader is on the node that whoever declares it is connected to.
    let far = ["--broker", &there.url(), "--prefix", broker.prefix(), "--queue-type", "quorum"];
    loghost(["run", "--declare-only"]).args(far).arg(&error).end().exits(0);
    let publish = || broker.loghost(["publish", "--stdin", "--severity", "error", "--require-route"]);
    publish().stdin("before\n".repeat(LOGS)).end().exits(0);
    let run = broker.loghost(["run", "--every", "50ms", "--state"]).arg(folder.path()).arg(&error).start();
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(300));
    there.kill();
    publish().args(["--retry-for", "1m"]).stdin("after\n".repeat(LOGS)).end().exits(0);
    run.has_printed(|so_far| total(&last_of_text(so_far), "error") == Some(600));
    let run = run.end_by(Signal::Terminate).exits(0);
    assert_eq!(total(&last_of_text(&run.stdout), "error"), Some(600), "{run}");
    broker.outside().wait_for_depth(&broker.queue("error"), 0);
}
