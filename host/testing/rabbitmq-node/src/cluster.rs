//! Nodes that know each other. Each has an address of its own, where the stream protocol has its usual port: clients that know
//! one node look for it there.

use crate::place::NodePlace;
use crate::port::free_address;
use crate::{Error, Node, Setup, Version};

/// So many nodes that nobody else has, in one cluster.
pub fn cluster(version: Version, size: usize) -> Result<Vec<Node>, Error> {
    version.look()?;
    let places = (0..size).map(|_| NodePlace::new(version, &Setup::default(), free_address()));
    let mut places = places.collect::<Result<Vec<_>, _>>()?;
    let members = (1..).zip(&places);
    let members =
        members.map(|(n, place)| format!("cluster_formation.classic_config.nodes.{n} = {}\n", place.name));
    let first = "cluster_formation.peer_discovery_backend = classic_config\n".to_owned();
    let config: String = std::iter::once(first).chain(members).collect();
    let mapper_port = places.first().map(|place| place.mapper_port);
    for place in &mut places {
        place.mapper_port = mapper_port.unwrap_or(place.mapper_port);
        place.configure(&config)?;
        place.write_cookie("of-a-cluster")?;
    }
    let mut nodes = places.into_iter().map(Node::new).collect::<Result<Vec<_>, _>>()?;
    // One after the other they would wait for each other.
    nodes.iter_mut().try_for_each(Node::begin)?;
    nodes.iter().try_for_each(Node::wait_until_up)?;
    Ok(nodes)
}
