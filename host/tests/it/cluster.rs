//! A queue whose home node is down, on a cluster of two.

use libtest_mimic::Trial;

use crate::support::broker::Broker;
use crate::support::cli::{Signal, loghost};
use crate::support::guest::{Then, declare, guest};
use crate::support::metrics::{last_of_text, total};
use crate::support::rabbitmq::{self, Version};
use crate::support::{Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![needing(
        "rabbitmq::cluster::a_queue_whose_node_is_down_is_waited_for",
        a_queue_whose_node_is_down_is_waited_for,
    )]
}

const DOWN: &str = "is down or inaccessible";

fn a_queue_whose_node_is_down_is_waited_for() -> Result<(), Skip> {
    let [here, mut there] = rabbitmq::cluster(Version::V3)?;
    let broker = Broker::at(here.url());
    let folder = tempfile::tempdir().expect("a folder");
    let picky =
        guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned())).write(folder.path());
    let [error, critical] = ["error", "critical"].map(|name| tracked(&format!("plugins/{name}.wasm")));
    declare(&broker, std::slice::from_ref(&critical));
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
    Ok(())
}
