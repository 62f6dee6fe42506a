//! Of three nodes, the one that leads what is published to, or one that a stream is read at, is killed and brought back while
//! logs are published and counted: every log that was confirmed is counted once.

use fastrand::Rng;
use libtest_mimic::Trial;

use super::host::{Host, run};
use super::producers::{Ids, Producers};
use super::{HOST, Seed, TIMEOUT, check_report};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::Signal;
use crate::support::cluster::{leader_of, read_at};
use crate::support::rabbitmq::{self, Node, Version};
use crate::support::{self, Skip};

pub(super) fn trials() -> Vec<Trial> {
    let trial = |kind: Kind| {
        let name = format!("{}::crash::of_the_leader", kind.name());
        support::long(&name, move || crash(kind))
    };
    [Kind::Quorum, Kind::Stream].map(trial).into()
}

fn crash(kind: Kind) -> Result<(), Skip> {
    let (kills, logs) = support::sized((2, 40_000), (10, 200_000));
    let mut nodes: [Node; 3] = rabbitmq::cluster(Version::V4)?;
    let broker = Broker::of_cluster(kind, &nodes);
    let seed = Seed::new();
    let mut random = Rng::with_seed(seed.0);
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = HOST.plugins.file(folder.path());
    let mut host = Host::start(&broker, &plugins, HOST.plugins.consumers(), folder.path().join("state"));
    // What most of the logs go to, or all of them.
    let led = if broker.is_stream() { broker.exchange("error") } else { broker.queue("all") };
    let producers = Producers::new((&broker, Ids::Given), folder.path(), 2 * kills + 1, logs);

    if broker.is_stream() {
        let nodes = nodes.each_ref();
        assert!(!read_at(&nodes).contains(&leader_of(&nodes, &led)), "the leader is read");
    }
    // While one part is published, the node is killed, and it is brought back while the next one is.
    for part in (1..=2 * kills).step_by(2) {
        let leader = leader_of(&nodes.each_ref(), &led);
        // Of streams, in every second round, a node that is read.
        let killed = match part % 4 {
            3 if broker.is_stream() => random.choice(read_at(&nodes.each_ref())).unwrap_or(leader),
            _ => leader,
        };
        nodes.iter().for_each(Node::store_topology);
        let publishing = producers.start(part);
        host.counts(producers.sent(part - 1) + random.u64(1..=producers.sent(1) / 2));
        nodes[killed].kill();
        publishing.end();
        host.counts(producers.sent(part));
        let others: Vec<&Node> = (0..3).filter(|n| *n != killed).map(|n| &nodes[n]).collect();
        leader_of(&others, &led);

        let publishing = producers.start(part + 1);
        nodes[killed].restart();
        publishing.end();
        host.counts(producers.sent(part + 1));
    }
    producers.complete();

    let state = host.state;
    host.running.end_by(Signal::Terminate).exits(0);
    let rest = run(&broker, &plugins, &state).args(["--until-idle", "3s"]).start();
    let output = rest.end_within(TIMEOUT).exits(0);
    if let Producers::WithJournals(producers) = &producers {
        check_report(&[state], producers, HOST);
    }
    HOST.plugins.check(&output, &producers.expected());
    Ok(())
}
