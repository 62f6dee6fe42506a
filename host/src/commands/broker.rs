//! `loghost broker`: the embedded broker on a port of its own.

use std::net::{Ipv4Addr, SocketAddr};

use bytesize::ByteSize;
use loghost_broker::Broker;
use tokio::io;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::platform::signals::interrupted;
use crate::ui::terminal;

/// What `broker` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    /// How much memory queued messages may take before publishers are held back.
    pub(crate) max_memory: ByteSize,
    pub(crate) end: Ending,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5672)),
            max_memory: ByteSize(loghost_broker::Options::default().memory_high_watermark as u64),
            end: Ending::Signal,
        }
    }
}

/// What ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A signal.
    Signal,
    /// A signal, or the end of standard input.
    Input,
}

/// Serves until asked to end.
pub(crate) async fn broker(options: Options) -> Result<(), Failure> {
    let interrupted = interrupted().status(Status::Internal)?;
    let limits = loghost_broker::Options {
        memory_high_watermark: usize::try_from(options.max_memory.0).unwrap_or(usize::MAX),
        ..loghost_broker::Options::default()
    };
    let broker = Broker::bind(options.listen, limits).await.status(Status::Unavailable)?;
    terminal::notice("an in-memory broker for development: what it holds goes when it ends (Ctrl-C)");
    terminal::print(&broker.url())?;
    tokio::select! {
        () = interrupted => {}
        () = end_of_input(), if options.end == Ending::Input => {}
    }
    broker.shutdown().await;
    Ok(())
}

/// Is ready when standard input has ended, or cannot be read any more.
async fn end_of_input() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink()).await;
}
