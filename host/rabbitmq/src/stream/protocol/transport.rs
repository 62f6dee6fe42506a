//! A connection in the network, with TLS or without.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::stream::protocol::connect_error::{NoStreams, StreamConnectError};
use crate::stream::protocol::endpoint::StreamEndpoint;

/// A connection in the network.
pub(crate) type Transport = Box<dyn Duplex>;

/// What can be read from and written to.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects, with TLS if the endpoint has TLS.
pub(crate) async fn connect(endpoint: &StreamEndpoint) -> Result<Transport, StreamConnectError> {
    let tls = match endpoint.tls() {
        Some(tls) => {
            let connector = tls.connector().map_err(|error| NoStreams::BadFile(endpoint.clone(), error))?;
            Some((connector, tls.server_name.clone()))
        }
        None => None,
    };
    let network = |error| StreamConnectError::network(endpoint, &error);
    let stream = TcpStream::connect(endpoint.place()).await.map_err(network)?;
    // Whole frames are written: Nagle's algorithm would only delay them.
    stream.set_nodelay(true).map_err(network)?;
    match tls {
        Some((connector, name)) => {
            let secured = connector.connect(name, stream).await;
            Ok(Box::new(secured.map_err(|error| StreamConnectError::tls(endpoint, &error))?))
        }
        None => Ok(Box::new(stream)),
    }
}
