//! A connection to a broker, with or without TLS, that lets gather what comes.
//!
//! A broker sends a few messages at a time, and each time a chain of threads wakes up: the runtime's, the
//! client's, the consumer's, and the client's again for the acknowledgement. That costs more than the messages.
//! So while much comes, and little at a time, what is there is read a thousand times a second, and not more
//! often.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The least time between two reads, while much comes and little at a time.
const GATHER: Duration = Duration::from_millis(1);

/// How much is much, in bytes a second: some 3,000 logs.
const MUCH: u128 = 1_000_000;

/// How many bytes are little: not worth waking everybody up for.
const LITTLE: usize = 16 * 1024;

/// A connection to a broker.
pub(crate) struct Socket {
    stream: Stream,
    /// When there was something to read last.
    read_at: Instant,
    /// Whether much comes, and little at a time.
    trickles: bool,
    /// Whether there was nothing to read the last time.
    waits: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self::new(Stream::Plain(stream))
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)))
    }

    fn new(stream: Stream) -> Self {
        Self { stream, read_at: Instant::now(), trickles: false, waits: true }
    }

    /// Notes that so many bytes were read.
    fn note(&mut self, read: usize) {
        let since = self.read_at.elapsed();
        self.read_at += since;
        self.trickles = read < LITTLE && read as u128 * 1_000_000_000 > since.as_nanos() * MUCH;
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.trickles
            && this.waits
            && let Some(rest) = GATHER.checked_sub(this.read_at.elapsed())
        {
            // This is the client's own thread, one for each connection, which has nothing else to do.
            thread::sleep(rest);
        }
        let before = into.filled().len();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        };
        this.waits = polled.is_pending();
        if !this.waits {
            this.note(into.filled().len() - before);
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, from),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
