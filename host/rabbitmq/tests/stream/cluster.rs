//! A cluster, whose nodes have copies of a stream.

use std::collections::BTreeSet;
use std::sync::Arc;

use libtest_mimic::Trial;
use loghost_rabbitmq::{OffsetSpec, StreamNode};

use crate::fixture::{TestStream, cluster, endpoint_of};
use crate::support::{Skip, connect, needing, next, soon, subscribe};

pub(crate) fn trials() -> Vec<Trial> {
    vec![needing("rabbitmq4::each_node_of_a_cluster_has_a_copy", each_node_of_a_cluster_has_a_copy)]
}

async fn each_node_of_a_cluster_has_a_copy() -> Result<(), Skip> {
    let nodes: Vec<_> = cluster(3)?.into_iter().map(Arc::new).collect();
    let fixture = TestStream::on(Arc::clone(&nodes[0])).await;
    fixture.publish_chunks(1).await;
    let connection = connect(&endpoint_of(&nodes[1])).await;
    let (leader, replicas) = soon(async {
        loop {
            let known = connection.metadata(&[&fixture.stream]).await.expect("an answer");
            // The copies are made one after the other.
            if let (Some(leader), [_, _]) = (&known[0].leader, &*known[0].replicas) {
                break (leader.clone(), known[0].replicas.clone());
            }
        }
    })
    .await;
    let hosts = |of: &[StreamNode]| of.iter().map(|node| node.host.clone()).collect::<BTreeSet<_>>();
    let expected: BTreeSet<_> = nodes.iter().map(|node| node.address().to_string()).collect();
    assert_eq!(hosts(&[replicas.clone(), vec![leader]].concat()), expected);
    for replica in &replicas {
        let endpoint = connection.endpoint().at(&replica.host, replica.port).expect("a host");
        let at_replica = connect(&endpoint).await;
        let mut subscription = subscribe(&at_replica, &fixture.stream, OffsetSpec::First, 1).await;
        assert!(next(&mut subscription).await.chunk.ends_with(b"message 0"));
        soon(at_replica.close()).await;
    }
    soon(connection.close()).await;
    Ok(())
}
