//! Where streams end, and how far they were read as far as the broker knows, for whoever shows it: through connections of
//! their own, so that no consumer is held up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::connection::open::Connection;
use crate::stream::ends;
use crate::stream::native::{self, Nodes};
use crate::stream::options::StreamAddress;
use crate::stream::protocol::offset::OffsetSpec;
use crate::stream::way::StreamWay;
use crate::topology::error::TopologyError;

/// Asks a broker for figures of streams, and keeps the connections for the next time.
pub struct StreamFigures {
    address: Option<StreamAddress>,
    way: StreamWay,
    asked: Mutex<Option<Asked>>,
}

/// Who was asked last, and for which streams.
struct Asked {
    connection: Arc<Connection>,
    streams: Vec<String>,
    /// None if it does not speak the stream protocol.
    nodes: Option<Nodes>,
}

/// The connections are shown by this name in the broker.
const NAME: &str = "loghost figures";

impl StreamFigures {
    /// Asks in the way in which streams are read, at the address where the stream protocol is spoken if that is another than
    /// the broker says.
    pub fn new(way: StreamWay, address: Option<StreamAddress>) -> Self {
        Self { address, way, asked: Mutex::new(None) }
    }

    /// The offset behind the last log of each of these streams, in their order, which have to exist; none where the broker
    /// does not tell `within` this time.
    pub async fn ends(
        &self,
        connection: &Arc<Connection>,
        streams: &[String],
        within: Duration,
    ) -> Vec<Option<u64>> {
        let asking = async {
            let mut asked = self.asked.lock().await;
            // What is cut off meanwhile is not used again.
            let reused = asked.take().filter(|asked| asked.is_of(connection, streams));
            let reused = match reused {
                Some(reused) => reused,
                None => self.connect(connection, streams).await?,
            };
            let ends = join_all(streams.iter().map(|stream| reused.end(stream))).await;
            if ends.iter().all(Result::is_ok) {
                *asked = Some(reused);
            } else if let Some(nodes) = reused.nodes {
                nodes.close().await;
            }
            Ok::<_, TopologyError>(ends.into_iter().map(Result::ok).collect())
        };
        let unknown = || vec![None; streams.len()];
        let answer = timeout(within, connection.answer(asking)).await;
        answer.ok().and_then(Result::ok).unwrap_or_else(unknown)
    }

    /// The offset behind what was read last of each of these streams by whom the broker knows by `name`, in their order;
    /// none where it has none, as through AMQP 0-9-1.
    ///
    /// # Errors
    ///
    /// If the broker does not tell.
    pub async fn stored(
        &self,
        connection: &Arc<Connection>,
        streams: &[String],
        name: &str,
    ) -> Result<Vec<Option<u64>>, TopologyError> {
        let mut asked = self.asked.lock().await;
        if !asked.as_ref().is_some_and(|asked| asked.is_of(connection, streams)) {
            *asked = Some(self.connect(connection, streams).await?);
        }
        let Some(Asked { nodes: Some(nodes), .. }) = &*asked else { return Ok(vec![None; streams.len()]) };
        let stored = nodes.stored(name).await?;
        // Where nothing was read yet, the greatest number is stored.
        Ok(streams.iter().map(|stream| Some(stored.get(stream)?.wrapping_add(1))).collect())
    }

    async fn connect(
        &self,
        connection: &Arc<Connection>,
        streams: &[String],
    ) -> Result<Asked, TopologyError> {
        let names: Vec<&str> = streams.iter().map(String::as_str).collect();
        let nodes = self.way.nodes(connection, self.address.as_ref(), &names, NAME).await?;
        Ok(Asked { connection: Arc::clone(connection), streams: streams.to_vec(), nodes })
    }
}

impl Asked {
    fn is_of(&self, connection: &Arc<Connection>, streams: &[String]) -> bool {
        let has = |stream: &String| self.streams.contains(stream);
        Arc::ptr_eq(&self.connection, connection) && streams.iter().all(has)
    }

    /// The offset behind the last log of a stream.
    async fn end(&self, stream: &str) -> Result<u64, TopologyError> {
        let last = match self.nodes.as_ref().and_then(|nodes| nodes.of(stream)) {
            Some(node) => native::sent(&node, stream, OffsetSpec::Last).await?.map(|sent| sent.last),
            None => ends::end(&self.connection, stream).await?.map(|end| end.sent.last),
        };
        Ok(last.map_or(0, |last| last.saturating_add(1)))
    }
}
