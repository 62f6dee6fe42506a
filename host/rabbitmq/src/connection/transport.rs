//! A connection in the network, with TLS or without, for the protocols that the client library does not speak.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::connection::tls::{Tls, TlsFileError};

/// A connection in the network.
pub(crate) type Transport = Box<dyn Duplex>;

/// What can be read from and written to.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// The files for TLS cannot be used.
    #[error(transparent)]
    BadFile(#[from] TlsFileError),
    /// Nothing listens there, as far as is known.
    #[error("no connection: {0}")]
    Network(io::Error),
    /// TLS failed.
    #[error("no secure connection: {0}")]
    Tls(io::Error),
}

/// Connects to this host and port, with TLS if there are parameters for it.
pub(crate) async fn connect(address: (&str, u16), tls: Option<&Tls>) -> Result<Transport, TransportError> {
    let tls = match tls {
        Some(tls) => Some((tls.connector()?, tls.server_name.clone())),
        None => None,
    };
    let stream = TcpStream::connect(address).await.map_err(TransportError::Network)?;
    // Whole frames are written: Nagle's algorithm would only delay them.
    stream.set_nodelay(true).map_err(TransportError::Network)?;
    match tls {
        Some((connector, name)) => {
            Ok(Box::new(connector.connect(name, stream).await.map_err(TransportError::Tls)?))
        }
        None => Ok(Box::new(stream)),
    }
}
