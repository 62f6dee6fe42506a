//! A connection in the network to an endpoint of the stream protocol.

use crate::connection::transport::{self, Transport, TransportError};
use crate::stream::protocol::connect_error::{NoStreams, StreamConnectError};
use crate::stream::protocol::endpoint::StreamEndpoint;

/// Connects, with TLS if the endpoint has TLS.
pub(crate) async fn connect(endpoint: &StreamEndpoint) -> Result<Transport, StreamConnectError> {
    let connected = transport::connect(endpoint.host_and_port(), endpoint.tls()).await;
    connected.map_err(|error| match error {
        TransportError::BadFile(error) => NoStreams::BadFile(endpoint.clone(), error).into(),
        TransportError::Network(error) => StreamConnectError::network(endpoint, &error),
        TransportError::Tls(error) => StreamConnectError::tls(endpoint, &error),
    })
}
