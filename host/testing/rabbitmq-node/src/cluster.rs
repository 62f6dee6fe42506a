//! Nodes that know each other. Each has an address of its own, where the stream protocol has its usual port: clients that know
//! one node look for it there.

use std::net::Ipv4Addr;

use crate::config::NodeConfig;
use crate::{Error, Node, Setup, Version};

/// Nodes that nobody else has, in one cluster: one at each of these addresses (see [`free_address`](crate::free_address)).
pub fn cluster(version: Version, addresses: &[Ipv4Addr], setup: &Setup<'_>) -> Result<Vec<Node>, Error> {
    version.look()?;
    let setup_at = |address: &Ipv4Addr| Setup { address: Some(*address), ..*setup };
    let configs = addresses.iter().map(|address| NodeConfig::new(version, &setup_at(address)));
    let mut configs = configs.collect::<Result<Vec<_>, _>>()?;
    let members = (1..).zip(&configs);
    let members =
        members.map(|(n, config)| format!("cluster_formation.classic_config.nodes.{n} = {}\n", config.name));
    let first = "cluster_formation.peer_discovery_backend = classic_config\n".to_owned();
    let config: String = std::iter::once(first).chain(members).collect();
    let mapper_port = configs.first().map(|config| config.mapper_port);
    for node in &mut configs {
        node.mapper_port = mapper_port.unwrap_or(node.mapper_port);
        node.configure(&config)?;
        node.write_cookie("of-a-cluster")?;
    }
    let mut nodes = configs.into_iter().map(Node::new).collect::<Result<Vec<_>, _>>()?;
    // One after the other they would wait for each other.
    nodes.iter_mut().try_for_each(Node::begin)?;
    nodes.iter().try_for_each(Node::wait_until_up)?;
    Ok(nodes)
}
