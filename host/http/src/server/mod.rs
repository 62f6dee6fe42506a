//! The server: HTTP/1.1 on one address, within limits, until it is told to end.
//!
//! What others do to it must not reach the consumers: connections are few, each has little memory and little time, and
//! whoever is over a limit is turned away.

mod answer;
mod control;
mod timeout_stream;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
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

/// How long these may last.
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
    let mut connection = pin!(http.serve_connection(TokioIo::new(TimeoutStream::new(stream)), service));
    // Whatever a client does wrong, hyper has answered.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Answers one request of a connection that is one too many, if it asks for the health of the host.
async fn serve_probe(stream: TcpStream, answering: Arc<Answering>) {
    let service = service_fn(move |request| {
        let answering = Arc::clone(&answering);
        async move { answering.answer_probe(request).await }
    });
    let mut http = limited(PROBE);
    let connection =
        http.keep_alive(false).serve_connection(TokioIo::new(TimeoutStream::new(stream)), service);
    let _ = timeout(PROBE, connection).await;
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
mod tests {
    use futures_util::future::BoxFuture;
    use loghost_core::domain::ConsumerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    /// Knows no figures.
    struct Unmeasured;

    impl Measuring for Unmeasured {
        fn measure(&self, _: Vec<ConsumerName>, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    fn answering(stopped: &watch::Receiver<bool>) -> Arc<Answering> {
        let shown = Shown {
            board: Arc::default(),
            feed: Feed::default(),
            token: None,
            control: None,
            measuring: Arc::new(Unmeasured),
            version: "1",
        };
        Arc::new(Answering::new(shown, stopped.clone()))
    }

    /// Sends this, and nothing more: how long it is connected, and what it is answered.
    async fn sends(bytes: &[u8]) -> (Duration, String) {
        let (_stop, stopped) = watch::channel(false);
        let (ours, mut theirs) = duplex(1 << 16);
        let begin = Instant::now();
        let serving = tokio::spawn(serve(ours, answering(&stopped), stopped.clone()));
        theirs.write_all(bytes).await.expect("it reads");
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.expect("its end");
        serving.await.expect("no panic");
        (begin.elapsed(), answer)
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_request_is_not_waited_for_without_end() {
        for begun in ["", "GET / HTTP/1.1\r\nhost: localhost\r\n"] {
            assert_eq!(sends(begun.as_bytes()).await, (HEAD, String::new()), "{begun}");
        }
        // After an answer, it is the next request's.
        let (connected, answer) = sends(b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && connected == HEAD, "{connected:?} {answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_comes_byte_by_byte_has_no_more_time() {
        let (_stop, stopped) = watch::channel(false);
        let (ours, mut theirs) = duplex(64);
        let begin = Instant::now();
        let serving = serve(ours, answering(&stopped), stopped.clone());
        let sending = async {
            theirs.write_all(b"GET / HTTP/1.1\r\nx: ").await.expect("it reads");
            loop {
                sleep(HEAD / 10).await;
                if theirs.write_all(b"x").await.is_err() {
                    break;
                }
            }
        };
        futures_util::future::join(serving, sending).await;
        assert!(begin.elapsed() <= HEAD + HEAD / 10, "{:?}", begin.elapsed());
    }
}
