//! Which of the nodes of a cluster lead what is published to, and are read.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::rabbitmq::Node;

/// Within this, a cluster has found itself again after a node has come or gone.
const FOUND_WITHIN: Duration = Duration::from_mins(5);

/// Which of `nodes` leads a queue or stream, as soon as the first of them knows that it is one of them, and that they alone have a
/// copy: that may be after the new leader has confirmed messages.
#[track_caller]
pub(crate) fn leader_of(nodes: &[&Node], queue: &str) -> usize {
    let deadline = Instant::now() + FOUND_WITHIN;
    loop {
        let members = members(nodes[0], queue);
        if let Some((leader, online)) = &members
            && *online == nodes.len()
            && let Some(index) = nodes.iter().position(|node| node.name() == leader)
        {
            return index;
        }
        assert!(Instant::now() < deadline, "{queue}: the leader and the nodes with a copy are {members:?}");
    }
}

/// The name of the node that leads a queue or stream, and on how many nodes it has a copy that is there; none while nobody
/// answers for it.
#[track_caller]
fn members(node: &Node, queue: &str) -> Option<(String, usize)> {
    let queues = node.rabbitmqctl(&["list_queues", "--silent", "name", "leader", "online"]);
    let line = queues.lines().find_map(|line| line.strip_prefix(queue)?.strip_prefix('\t'))?;
    let (leader, online) = line.split_once('\t')?;
    Some((leader.to_owned(), online.matches('@').count()))
}

/// At which of `nodes` streams are read through the stream protocol, as soon as one is.
#[track_caller]
pub(crate) fn read_at(nodes: &[&Node]) -> BTreeSet<usize> {
    let deadline = Instant::now() + FOUND_WITHIN;
    loop {
        let list = ["list_stream_connections", "--formatter=csv", "node", "subscriptions"];
        let connections = nodes[0].rabbitmqctl(&list);
        let is_read = |node: &Node| {
            let mut of_node = connections.lines().filter(|line| line.contains(node.name()));
            of_node.any(|line| !line.ends_with(r#","0""#))
        };
        let read: BTreeSet<usize> = (0..nodes.len()).filter(|n| is_read(nodes[*n])).collect();
        if !read.is_empty() {
            return read;
        }
        assert!(Instant::now() < deadline, "no stream is read: {connections}");
    }
}
