//! A collector of OpenTelemetry that takes whatever it is sent, and keeps nothing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use loghost_otlp::Endpoint;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::compose::failure::{Failure, Status, WithStatus};

/// Takes requests until this is dropped.
pub(super) struct SinkCollector {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl SinkCollector {
    /// Listens at any port of this machine.
    pub(super) async fn begin() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.status(Status::System)?;
        let address = listener.local_addr().status(Status::System)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(answer(connection));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, _tasks: tasks })
    }

    /// Where it takes them.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it takes a signal.
    pub(super) fn endpoint(&self, signal: &str) -> Endpoint {
        Endpoint::at(format!("{}/v1/{signal}", self.url()))
    }
}

/// Answers the requests of a connection, one after the other.
async fn answer(connection: TcpStream) -> io::Result<()> {
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    let mut length = 0;
    while connection.read_line(&mut line).await? > 0 {
        let header = line.trim_end().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if header.is_empty() {
            copy(&mut (&mut connection).take(length), &mut sink()).await?;
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
        }
        line.clear();
    }
    Ok(())
}
