//! A connection to a broker, with or without TLS, that lets gather what comes.
//!
//! A broker sends a few messages at a time, and each time a chain of threads wakes up: the runtime's, the
//! client's, the consumer's, and the client's again for the acknowledgement. That costs more than the messages.
//! So while much comes, and not more than that chain keeps up with anyway, what is there is read a thousand
//! times a second, and not more often.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The least time between two reads, while it is worth while to wait.
const GATHER: Duration = Duration::from_millis(1);

/// How much is worth while, in bytes a second: from some 3,000 logs to some 100,000. Of more than that there is
/// always something to do.
const WORTH: Range<u128> = 1_000_000..40_000_000;

/// How long it is looked how much comes.
const LOOK: Duration = Duration::from_millis(2);

/// A connection to a broker.
pub struct Socket {
    stream: Stream,
    /// When there was something to read last.
    read_at: Instant,
    /// How many bytes have come since when.
    bytes: usize,
    since: Instant,
    /// Whether it is worth while to let more gather.
    gathers: bool,
    /// Whether there was nothing to read the last time.
    waits: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self::new(Stream::Plain(stream))
    }

    pub(crate) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)))
    }

    fn new(stream: Stream) -> Self {
        let now = Instant::now();
        Self { stream, read_at: now, bytes: 0, since: now, gathers: false, waits: true }
    }

    /// Notes that so many bytes were read.
    fn note(&mut self, read: usize) {
        self.read_at = Instant::now();
        self.bytes += read;
        let elapsed = self.read_at - self.since;
        if elapsed >= LOOK {
            self.gathers = is_worth_while(self.bytes, elapsed);
            (self.bytes, self.since) = (0, self.read_at);
        }
    }
}

/// Whether it is worth while to let more gather where so many bytes come in so long.
fn is_worth_while(bytes: usize, elapsed: Duration) -> bool {
    WORTH.contains(&(bytes as u128 * 1_000_000_000 / elapsed.as_nanos().max(1)))
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.gathers
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_few_logs_nor_a_flood_are_kept_waiting() {
        for (logs, expected) in [(1, false), (1_000, false), (10_000, true), (50_000, true), (300_000, false)]
        {
            assert_eq!(is_worth_while(logs * 350, Duration::from_secs(1)), expected, "{logs} logs a second");
        }
    }
}
