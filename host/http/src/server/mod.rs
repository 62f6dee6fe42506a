//! The server: HTTP/1.1 on one address, within limits, until it is told to end.
//!
//! What others do to it must not reach the consumers: connections are few, each has little memory and little time, and
//! whoever is over a limit is turned away.

mod answer;
mod control;
mod ending;
mod timeout_stream;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use loghost_board::{Board, Measuring};
use loghost_core::application::RunControl;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use self::answer::Answering;
use self::timeout_stream::TimeoutStream;
use crate::feed::Feed;
use crate::token::Token;

/// What is shown, and to whom.
#[derive(Clone)]
pub struct Shown {
    /// The figures.
    pub board: Arc<Board>,
    /// What happens.
    pub feed: Feed,
    /// What a request must know, if it must.
    pub token: Option<Token>,
    /// Through what consumers are controlled, by whoever knows the token; none if they are not.
    pub control: Option<Arc<dyn RunControl>>,
    /// Who asks plugins for figures of their own.
    pub measuring: Arc<dyn Measuring>,
    /// The version of the host.
    pub version: &'static str,
}

/// A server that listens. It ends when this is dropped; [`end`](Self::end) also waits for that.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// An address that cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// How many connections are served at a time: each takes an open file, and consumers need some.
const MOST_CONNECTIONS: usize = 128;

/// How many more are served for as long as one request takes: a supervisor learns that the host is alive whoever else is connected.
const MOST_PROBES: usize = 32;

/// How long these may take in all, and their heads half of it.
const PROBE: Duration = Duration::from_secs(1);

/// How long a request's head may take, from the connection's begin or the answer before.
const HEAD: Duration = Duration::from_secs(30);

/// The bytes of a request's head, and of what is read of a connection in advance.
const MOST_HEAD: usize = 16 << 10;

/// The headers of a request.
const MOST_HEADERS: usize = 64;

/// How long answers under way may take when the server ends.
const GRACE: Duration = Duration::from_secs(1);

/// After the system could not give a connection: it has no more open files, most likely.
const RECOVERY: Duration = Duration::from_millis(100);

impl Server {
    /// Listens, and serves from now on.
    pub async fn bind(address: SocketAddr, shown: Shown) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let answering = Arc::new(Answering::new(shown, stopped.clone()));
        let accepting = tokio::spawn(accept(listener, answering, stopped));
        Ok(Self { address, stop, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends, and waits for it, which takes a second at most.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        // It does not panic; if it did, that was said.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves what comes until it is stopped, then ends what is under way.
async fn accept(listener: TcpListener, answering: Arc<Answering>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            // The server may be gone, which is a reason to end as well.
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => {
                connections.spawn(serve(stream, Arc::clone(&answering), stopped.clone()));
            }
            Ok((stream, _)) if connections.len() < MOST_CONNECTIONS + MOST_PROBES => {
                connections.spawn(serve_probe(stream, Arc::clone(&answering)));
            }
            Ok((stream, _)) => turn_away(&stream),
            Err(_) => sleep(RECOVERY).await,
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, ended).await.is_err() {
        connections.shutdown().await;
    }
}

/// Serves one connection until its other side ends it, takes too long, or the server is stopped.
async fn serve<S>(stream: S, answering: Arc<Answering>, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(move |request| {
        let answering = Arc::clone(&answering);
        async move { answering.answer(request).await }
    });
    let http = limited(HEAD);
    let mut connection = http.serve_connection(TokioIo::new(TimeoutStream::new(stream)), service);
    let served = tokio::select! {
        served = &mut connection => Some(served),
        _ = stopped.wait_for(|stopped| *stopped) => None,
    };
    let Some(served) = served else {
        Pin::new(&mut connection).graceful_shutdown();
        let _ = connection.await;
        return;
    };
    ending::end(served, connection.into_parts()).await;
}

/// Answers one request of a connection that is one too many, if it asks for the health of the host.
async fn serve_probe<S>(stream: S, answering: Arc<Answering>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let answering = Arc::clone(&answering);
        async move { answering.answer_probe(request).await }
    });
    let mut http = limited(PROBE / 2);
    let mut connection =
        http.keep_alive(false).serve_connection(TokioIo::new(TimeoutStream::new(stream)), service);
    let serving = async {
        let served = (&mut connection).await;
        ending::end(served, connection.into_parts()).await;
    };
    // Whoever takes longer is disconnected.
    let _ = timeout(PROBE, serving).await;
}

/// HTTP/1.1 whose requests have a bounded head, which takes no longer than this.
fn limited(head: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    http.max_buf_size(MOST_HEAD).max_headers(MOST_HEADERS);
    http
}

/// Says that there are too many connections, as far as that can be said without waiting.
fn turn_away(stream: &TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n";
    let _ = stream.try_write(ANSWER);
}

#[cfg(test)]
mod tests;
