//! The reactor that the client connects with: its connections are filtered.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use futures_util::Stream;
use tokio::net::TcpStream;

use crate::connection::frame_filter::FrameFilter;
use crate::connection::skip_bodies::SkipBodies;
use crate::connection::socket::Socket;

/// Tokio's reactor, except that its connections are filtered: the client takes connections of the reactor's type only.
#[derive(Clone, Debug)]
pub(crate) struct FilteringReactor(pub(crate) Tokio);

impl Reactor for FilteringReactor {
    type TcpStream = FrameFilter;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl futures_io::AsyncRead + futures_io::AsyncWrite + Send + Unpin + 'static> {
        // The client registers no socket of its own.
        Err::<FrameFilter, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    #[expect(clippy::manual_async_fn, reason = "it must not borrow")]
    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<FrameFilter>> + Send + 'static {
        async move {
            let stream = TcpStream::connect(address).await?;
            Ok(FrameFilter::new(Socket::plain(stream), SkipBodies::default()))
        }
    }
}
