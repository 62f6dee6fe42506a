//! `loghost broker`: the embedded broker on a port of its own.

use std::net::{Ipv4Addr, SocketAddr};

use bytesize::ByteSize;
use loghost_broker::{BindError, Broker};
use tokio::io;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::platform::signals::interrupted;
use crate::ui::events::command::ToolEvent;
use crate::ui::terminal;

/// What `broker` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    /// How much memory queued messages may take before publishers are held back.
    pub(crate) max_memory: ByteSize,
    pub(crate) end: BrokerEnding,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5672)),
            max_memory: ByteSize(loghost_broker::Options::default().memory_high_watermark as u64),
            end: BrokerEnding::Signal,
        }
    }
}

/// What ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokerEnding {
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
    let broker = Broker::bind(options.listen, limits).await.map_err(unbound)?;
    if !options.listen.ip().is_loopback() {
        terminal::tell(ToolEvent::BrokerIsOpen);
    }
    terminal::tell(ToolEvent::BrokerIsInMemory);
    terminal::print(&broker.url())?;
    tokio::select! {
        () = interrupted => {}
        () = end_of_input(), if options.end == BrokerEnding::Input => {}
    }
    broker.shutdown().await;
    Ok(())
}

/// What it means that the address cannot be listened on, and what to do.
fn unbound(error: BindError) -> Failure {
    let advice = match error.source.kind() {
        io::ErrorKind::AddrInUse => {
            ": if that is a broker, use it, or end it first; or take another port, any free one with --listen 127.0.0.1:0"
        }
        io::ErrorKind::AddrNotAvailable => {
            ": this machine has no such address: name one of its own, such as 127.0.0.1"
        }
        io::ErrorKind::PermissionDenied if error.address.port() < 1024 => {
            ": ports below 1024 are for root: take another, such as 5672"
        }
        _ => "",
    };
    let failure = Failure::of(Status::Unavailable, error);
    let (status, text) = (failure.status(), failure.text().unwrap_or_default());
    Failure::new(status, format!("{text}{advice}"))
}

/// Is ready when standard input has ended, or cannot be read any more.
async fn end_of_input() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink()).await;
}
