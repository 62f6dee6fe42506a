//! Streams of a cluster: which of its nodes they are read at, and what is counted when a leader moves or a copy goes.

use libtest_mimic::Trial;

use super::streams::{counted, plugin, publish, run, running};
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Signal, loghost};
use crate::support::cluster::{leader_of, read_at};
use crate::support::load::Load;
use crate::support::metrics::{counts, errors, last_of};
use crate::support::rabbitmq::{self, Node, Version};
use crate::support::{Skip, needing};

pub(crate) fn trials() -> Vec<Trial> {
    vec![needing("stream::streams::of_a_cluster_are_read_at_replicas_and_when_leaders_move", of_a_cluster)]
}

/// `loghost run` that reads streams at this node of a cluster.
fn run_at(node: &Node, prefix: &str) -> Loghost {
    let port = node.stream_port().expect("the stream protocol");
    let run = loghost(["run", "--queue-type", "stream", "--every", "20ms", "--format", "json", "--broker"]);
    let run = run.args([&*node.url(), "--prefix", prefix]).unless_ephemeral(&[]).arg(plugin());
    run.env("LOGHOST_STREAM_ADDRESS", format!("{}:{port}", node.address()))
}

/// Its leader is kept for those who write.
fn are_read_at_a_replica(nodes: &[Node; 3]) {
    let broker = Broker::of_cluster(Kind::Stream, nodes);
    let folder = tempfile::tempdir().expect("a folder");
    running(&broker, &plugin(), folder.path()).end_by(Signal::Terminate).exits(0);
    publish(&broker.outside(), &broker, 5);
    let (nodes, stream) = (nodes.each_ref(), broker.exchange("error"));
    // As soon as each node has a copy.
    let leader = leader_of(&nodes, &stream);
    let host = running(&broker, &plugin(), folder.path());
    counts(&host, "error", [5, 0]);
    assert!(!read_at(&nodes).contains(&leader), "the leader is read");
    host.end_by(Signal::Terminate).exits(0);
}

fn of_a_cluster() -> Result<(), Skip> {
    let nodes = rabbitmq::cluster(Version::V4)?;
    are_read_at_a_replica(&nodes);
    of_a_replica_that_lags(&nodes);
    of_a_leader_that_moves(&nodes);
    Ok(())
}

/// It has less than was read at the leader.
fn of_a_replica_that_lags([near, far, _third]: &[Node; 3]) {
    let broker = Broker::on(Kind::Stream, far);
    let folder = tempfile::tempdir().expect("a folder");
    let run = |node: &Node| run_at(node, broker.prefix()).arg("--state").arg(folder.path());
    let host = run(far).start();
    host.says("consuming from");
    let outside = broker.outside();
    publish(&outside, &broker, 10);
    counts(&host, "error", [10, 0]);
    let replicas = "[P || {_, P, _, [osiris_replica]} <- supervisor:which_children(osiris_server_sup)]";
    outside.wait_until(|| near.rabbitmqctl(&["eval", &format!("length({replicas}).")]).trim() == "1");
    near.rabbitmqctl(&["eval", &format!("[sys:suspend(P) || P <- {replicas}].")]);
    publish(&outside, &broker, 30);
    counts(&host, "error", [40, 0]);
    host.end_by(Signal::Terminate).exits(0);
    let host = run(near).start();
    let said = host.says("ask the leader of the stream");
    assert!(said.contains("does not lead to it"), "{said}");
    near.rabbitmqctl(&["eval", &format!("[sys:resume(P) || P <- {replicas}].")]);
    host.says("[error] consuming");
    publish(&outside, &broker, 2);
    counts(&host, "error", [42, 0]);
    host.end_by(Signal::Terminate).exits(0);
}

/// How often each of them happens.
const ROUNDS: usize = 3;

/// How often a stream is restarted until it has another leader: RabbitMQ need not choose the one that is preferred.
const TRIES: usize = 10;

/// While logs come, another node is made the leader, and then a copy that is read is deleted, and added again: no node goes.
fn of_a_leader_that_moves(nodes: &[Node; 3]) {
    let broker = Broker::of_cluster(Kind::Stream, nodes);
    let folder = tempfile::tempdir().expect("a folder");
    let host = running(&broker, &plugin(), folder.path());
    let (nodes, stream) = (nodes.each_ref(), broker.exchange("error"));
    let load = Load::start(&broker, |number| format!("log {number}"));
    let goes_on = || {
        let next = load.sent() + 1;
        host.has_printed(|printed| errors(&last_of(printed, "error"))[0] >= next);
    };
    // As `rabbitmq-streams` does it.
    let change = |what: &str, argument: &str| {
        let call = format!("rabbit_stream_queue:{what}(<<\"/\">>, <<\"{stream}\">>, {argument}).");
        let answer = nodes[0].rabbitmqctl(&["eval", &call]);
        assert!(answer.contains("ok"), "{call} {answer}");
    };
    for _ in 0..ROUNDS {
        goes_on();
        let leader = leader_of(&nodes, &stream);
        let other = nodes[(leader + 1) % nodes.len()].name();
        let has_moved = (0..TRIES).any(|_| {
            change("restart_stream", &format!("#{{preferred_leader_node => '{other}'}}"));
            leader_of(&nodes, &stream) != leader
        });
        assert!(has_moved, "it is still led by {leader}");
        goes_on();
        let read = read_at(&nodes).first().map(|index| format!("'{}'", nodes[*index].name()));
        let read = read.expect("one of them");
        change("delete_replica", &read);
        goes_on();
        change("add_replica", &read);
    }
    let sent = load.end();
    counts(&host, "error", [sent, 0]);
    let output = host.end_by(Signal::Terminate).exits(0);
    assert_eq!(last_of(&output.stdout, "error")["repeated"], 0, "{output}");
    let reopened = output.stderr.matches("[error] consuming").count();
    assert!(reopened >= ROUNDS, "it was read where it was before: {output}");
    assert_eq!(counted(run(&broker, &plugin()).arg("--state").arg(folder.path())), sent);
}
