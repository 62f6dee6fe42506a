//! A server of the stream protocol that does what a test wants.

use loghost_rabbitmq::StreamEndpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{endpoint, soon};

/// A server that accepts one connection.
pub(crate) struct Fake(TcpListener);

/// The connection.
pub(crate) struct Peer(TcpStream);

impl Fake {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    /// Where it listens, with parameters of the URL.
    pub(crate) fn endpoint(&self, parameters: &str) -> StreamEndpoint {
        let port = self.0.local_addr().expect("an address").port();
        endpoint(&format!("amqp://user:s3cret@localhost/%2f?{parameters}"), "127.0.0.1", port)
    }

    pub(crate) async fn accept(&self) -> Peer {
        Peer(soon(self.0.accept()).await.expect("a connection").0)
    }

    /// Accepts a connection, and lets it log in with these limits.
    pub(crate) async fn log_in(&self, frame_max: u32, heartbeat: u32) -> Peer {
        let mut peer = self.accept().await;
        peer.answer(17, &[]).await;
        peer.answer(18, b"\0\0\0\x01\0\x05PLAIN").await;
        let login = peer.answer(19, &[]).await;
        assert!(login.ends_with(b"\0\x05PLAIN\0\0\0\x0c\0user\0s3cret"), "{login:?}");
        let limits = [frame_max.to_be_bytes(), heartbeat.to_be_bytes()].concat();
        peer.send(&[&[0, 20, 0, 1][..], &limits].concat()).await;
        let tuned = peer.receive().await;
        assert_eq!(tuned[..4], [0x80, 20, 0, 1]);
        peer.answer(21, &[]).await;
        peer.answer(27, &[]).await;
        peer
    }
}

impl Peer {
    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("a connection");
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).expect("a short frame");
        self.send_raw(&[&length.to_be_bytes(), frame].concat()).await;
    }

    /// The next frame; empty at the end.
    pub(crate) async fn receive(&mut self) -> Vec<u8> {
        let Ok(length) = soon(self.0.read_u32()).await else { return Vec::new() };
        let mut frame = vec![0; usize::try_from(length).expect("a length")];
        soon(self.0.read_exact(&mut frame)).await.expect("a whole frame");
        frame
    }

    /// Receives a request with this key, and answers that it is OK, with what comes behind that.
    pub(crate) async fn answer(&mut self, key: u8, body: &[u8]) -> Vec<u8> {
        self.answer_as(key, key, 1, body).await
    }

    /// Receives a request, and answers with another key or another code.
    pub(crate) async fn answer_as(&mut self, key: u8, answered: u8, code: u8, body: &[u8]) -> Vec<u8> {
        let request = self.receive().await;
        assert_eq!(request.get(..4), Some(&[0, key, 0, 1][..]), "another request than {key}");
        let correlation = &request[4..8];
        self.send(&[&[0x80, answered, 0, 1], correlation, &[0, code], body].concat()).await;
        request
    }
}
