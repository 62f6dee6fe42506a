//! Connections to the nodes that have the streams of a consumer: to each node one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::connection::fault::Fault;
use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::connect_error::StreamConnectError;
use crate::stream::protocol::connection::StreamConnection;
use crate::stream::protocol::error::StreamError;
use crate::stream::protocol::metadata::{StreamMetadata, StreamNode};
use crate::topology::error::TopologyError;

/// What is said where a node cannot be reached.
const ADVICE: &str = "; the broker names this node for a stream: where the names that it gives cannot be reached from here, as \
                      with containers, say with --stream-address HOST:PORT where it is to be reached";

/// How often one address is connected to, to reach a node that is behind it.
const TRIES: u32 = 10;

/// Connections to the nodes that have the streams of a consumer.
pub(crate) struct Nodes {
    /// The first of them is the one that is asked where streams are.
    connections: Vec<Arc<StreamConnection>>,
    of: BTreeMap<String, Arc<StreamConnection>>,
    reach: Reach,
    /// What the brokers know the connections by.
    name: String,
}

/// Through what nodes are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What they advertise.
    Advertised,
    /// One address, which leads to a node that has the streams.
    OneAddress,
}

impl Nodes {
    /// Finds where the `streams` are, through the `first` connection, and connects to the nodes with a replica, or else to
    /// the leaders. The brokers know the connections by their `name`.
    ///
    /// # Errors
    /// If a stream is nowhere, or none of its nodes can be reached.
    pub(crate) async fn find(
        first: StreamConnection,
        streams: &[&str],
        (reach, name): (Reach, &str),
    ) -> Result<Self, TopologyError> {
        let first = Arc::new(first);
        let (connections, of, name) = (vec![Arc::clone(&first)], BTreeMap::new(), name.to_owned());
        let mut nodes = Self { connections, of, reach, name };
        let found = nodes.connect(&first, streams).await;
        match found {
            Ok(()) => Ok(nodes),
            Err(error) => {
                nodes.close().await;
                Err(error)
            }
        }
    }

    async fn connect(
        &mut self,
        first: &Arc<StreamConnection>,
        streams: &[&str],
    ) -> Result<(), TopologyError> {
        if self.reach == Reach::OneAddress {
            self.of = streams.iter().map(|stream| ((*stream).to_owned(), Arc::clone(first))).collect();
            return Ok(());
        }
        for metadata in first.metadata(streams).await? {
            let connection = self.connect_to_one(first, &metadata).await?;
            self.of.insert(metadata.stream, connection);
        }
        Ok(())
    }

    /// A connection to a node that has a stream.
    async fn connect_to_one(
        &mut self,
        first: &Arc<StreamConnection>,
        metadata: &StreamMetadata,
    ) -> Result<Arc<StreamConnection>, TopologyError> {
        let mut failure = None;
        for node in candidates(metadata, first) {
            if let Some(connected) = self.connections.iter().find(|connection| is_of(connection, node)) {
                return Ok(Arc::clone(connected));
            }
            match self.open(first, node).await {
                Ok(connection) => {
                    let connection = Arc::new(connection);
                    self.connections.push(Arc::clone(&connection));
                    return Ok(connection);
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(TopologyError::NoStreamConnection { error, advice: ADVICE });
        }
        let code = match metadata.code {
            // Its leader is being elected.
            ResponseCode::Ok => ResponseCode::StreamNotAvailable,
            code => code,
        };
        let endpoint = first.endpoint().to_string().into();
        let what = format!("to say where the stream {} is", metadata.stream);
        Err(StreamError::Refused { endpoint, what, code }.into())
    }

    /// Has the leader of a stream tell what it has, where a replica, which may have less, has told this `error` of it. Whether
    /// it was one.
    ///
    /// # Errors
    /// If the leader cannot be asked now.
    pub(crate) async fn turn_to_leader(&mut self, error: &TopologyError) -> Result<bool, TopologyError> {
        let (TopologyError::StreamIsShorter { stream, .. } | TopologyError::StreamIsAnother { stream, .. }) =
            error
        else {
            return Ok(false);
        };
        let (Some(first), Some(asked)) = (self.connections.first().cloned(), self.of(stream)) else {
            return Ok(false);
        };
        let metadata = first.metadata(&[stream]).await?.into_iter().find(|of| of.stream == *stream);
        let Some(leader) = metadata.and_then(|metadata| metadata.leader) else {
            return Err(unasked(stream, "one is being elected".to_owned()));
        };
        if is_of(&asked, &leader) {
            return Ok(false);
        }
        let of_leader = |connections: &[Arc<StreamConnection>]| {
            connections.iter().find(|connection| is_of(connection, &leader)).cloned()
        };
        if of_leader(&self.connections).is_none() {
            let opened = self.open(&first, &leader).await;
            let opened =
                opened.map_err(|error| TopologyError::NoStreamConnection { error, advice: ADVICE })?;
            self.connections.push(Arc::new(opened));
        }
        let connection = of_leader(&self.connections).ok_or_else(|| {
            let endpoint = first.endpoint();
            unasked(stream, format!("{endpoint} does not lead to it, and what it leads to has less"))
        })?;
        self.of.insert(stream.clone(), connection);
        Ok(true)
    }

    /// The connection to the node that has a stream.
    pub(crate) fn of(&self, stream: &str) -> Option<Arc<StreamConnection>> {
        self.of.get(stream).cloned()
    }

    /// The offsets that are stored for the streams under this `name`.
    pub(crate) async fn stored(&self, name: &str) -> Result<BTreeMap<String, u64>, StreamError> {
        let mut stored = BTreeMap::new();
        for (stream, connection) in &self.of {
            if let Some(offset) = connection.query_offset(name, stream).await? {
                stored.insert(stream.clone(), offset);
            }
        }
        Ok(stored)
    }

    /// Connects to a node: as it advertises, or through the one address, behind which there may be several, as often as is
    /// needed to reach it there.
    async fn open(
        &self,
        first: &StreamConnection,
        node: &StreamNode,
    ) -> Result<StreamConnection, StreamConnectError> {
        if self.reach == Reach::Advertised {
            return StreamConnection::open(&first.endpoint().at(&node.host, node.port)?, &self.name).await;
        }
        let mut connection = StreamConnection::open(first.endpoint(), &self.name).await?;
        for _ in 1..TRIES {
            if is_of(&connection, node) {
                break;
            }
            connection.close().await;
            connection = StreamConnection::open(first.endpoint(), &self.name).await?;
        }
        Ok(connection)
    }

    pub(crate) async fn close(&self) {
        join_all(self.connections.iter().map(|connection| connection.close())).await;
    }
}

/// The nodes that a stream can be read from, in the order in which they are tried: replicas, and among them the one that
/// there is a connection to, and the leader.
fn candidates<'a>(metadata: &'a StreamMetadata, first: &StreamConnection) -> Vec<&'a StreamNode> {
    let mut nodes: Vec<&StreamNode> = metadata.replicas.iter().collect();
    nodes.sort_by_key(|node| !is_of(first, node));
    nodes.extend(&metadata.leader);
    nodes
}

fn unasked(stream: &str, reason: String) -> TopologyError {
    let action = format!("ask the leader of the stream `{stream}` whether it has what was read");
    TopologyError::Failed { action, reason, fault: Fault::Elsewhere }
}

/// Whether a connection is one to this node.
fn is_of(connection: &StreamConnection, node: &StreamNode) -> bool {
    connection.advertised() == Some((&node.host, node.port))
}
