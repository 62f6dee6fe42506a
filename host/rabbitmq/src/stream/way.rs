//! Whether streams are read through the stream protocol, or through AMQP 0-9-1 where the broker does not speak it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::connection::open::Connection;
use crate::stream::native::{Nodes, Reach};
use crate::stream::options::StreamAddress;
use crate::stream::protocol::connect_error::StreamConnectError;
use crate::stream::protocol::connection::StreamConnection;
use crate::stream::protocol::endpoint::StreamEndpoint;
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;

/// What a run knows of how its brokers' streams can be read. Its consumers share it.
#[derive(Clone, Debug, Default)]
pub struct StreamWay(Arc<KnownWays>);

#[derive(Debug, Default)]
struct KnownWays {
    /// Whether the stream protocol was spoken: a broker that does not speak it then is one that is not up yet.
    spoken: AtomicBool,
    /// Whether it was told that it cannot be.
    told: AtomicBool,
}

impl StreamWay {
    /// Connects to the nodes that have the `streams`, through the host of the AMQP `connection` or through `address`; none
    /// if streams are to be read through AMQP 0-9-1, which is told of once. The brokers know the connections by their `name`.
    ///
    /// # Errors
    /// If the stream protocol is to be spoken, and cannot be now.
    pub(crate) async fn nodes(
        &self,
        connection: &Connection,
        address: Option<&StreamAddress>,
        streams: &[&str],
        name: &str,
    ) -> Result<Option<Nodes>, TopologyError> {
        match connect(connection, address, name).await {
            Ok(first) => {
                self.0.spoken.store(true, Ordering::Relaxed);
                let reach = if address.is_some() { Reach::OneAddress } else { Reach::Advertised };
                Nodes::find(first, streams, (reach, name)).await.map(Some)
            }
            Err(error)
                if address.is_none() && error.is_unsupported() && !self.0.spoken.load(Ordering::Relaxed) =>
            {
                if !self.0.told.swap(true, Ordering::Relaxed) {
                    connection.tell(None, &TopologyEvent::StreamsThroughAmqp { cause: error.to_string() });
                }
                Ok(None)
            }
            Err(error) => Err(TopologyError::NoStreamConnection { error, advice: "" }),
        }
    }
}

async fn connect(
    connection: &Connection,
    address: Option<&StreamAddress>,
    name: &str,
) -> Result<StreamConnection, StreamConnectError> {
    let endpoint = StreamEndpoint::of(connection.address())?;
    let endpoint = match address {
        Some(StreamAddress { host, port }) => endpoint.at(host, *port)?,
        None => endpoint,
    };
    StreamConnection::open(&endpoint, name).await
}
