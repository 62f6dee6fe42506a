//! Ends a connection: answers where hyper does not, and gives the client time to read the answer.

use std::time::Duration;

use hyper::StatusCode;
use hyper::server::conn::http1::Parts;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::time::timeout;

/// How long it is waited for the other side to end the connection as well. With what it has sent still unread, the system would
/// reset the connection, and the other side might lose the answer.
const LINGER: Duration = Duration::from_secs(1);

/// How many bytes are read meanwhile.
const MOST_UNREAD: u64 = 1 << 20;

/// Ends a connection that was `served`, of which hyper left these parts: answers what it did not, and waits for the other side.
pub(super) async fn end<S, F>(served: hyper::Result<()>, parts: Parts<TokioIo<S>, F>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Parts { io, read_buf, .. } = parts;
    let refusal = served.err().and_then(|error| refusal(&error, &read_buf));
    let mut stream = io.into_inner();
    let closing = async {
        if let Some((status, why)) = refusal {
            stream.write_all(answer(status, why).as_bytes()).await?;
        }
        stream.shutdown().await?;
        copy(&mut stream.take(MOST_UNREAD), &mut sink()).await
    };
    // Whoever has gone needs no answer.
    let _ = timeout(LINGER, closing).await;
}

/// What to answer to a request that began with these bytes, where hyper ends the connection without an answer. Who has sent nothing is
/// told nothing.
fn refusal(error: &hyper::Error, begun: &[u8]) -> Option<(StatusCode, &'static str)> {
    if begun.is_empty() {
        return None;
    }
    if error.is_parse_version_h2() {
        return Some((StatusCode::BAD_REQUEST, "this speaks HTTP/1.1, and not HTTP/2"));
    }
    if error.is_timeout() {
        return Some((StatusCode::REQUEST_TIMEOUT, "the head of the request took too long"));
    }
    error.is_incomplete_message().then_some((StatusCode::BAD_REQUEST, "the head of the request has no end"))
}

fn answer(status: StatusCode, why: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\ncontent-length: {}\r\n\r\n{why}\n",
        why.len() + 1
    )
}
