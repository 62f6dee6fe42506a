//! What a run shows over HTTP: where it listens, for whom, and whom the server asks and is told by.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use loghost_board::Board;
use loghost_core::application::{Event, ListenScope, Observer, RunEvent};
use loghost_core::domain::printable_line;
use loghost_http::{BindError, Feed, Server, Shown, Token};
use loghost_system::private::{SecretError, read_secret};
use tokio::io;

use crate::compose::failure::{Failure, Status};
use crate::compose::running::control::Controls;
use crate::ui::events::{self, Queues};
use crate::ui::terminal::event_as_json;

/// Where to listen, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    /// The file of the token that a request must know, if it must.
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) rights: Rights,
}

/// What may be done over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// To look at the run.
    Read,
    /// To control its consumers as well.
    Control,
}

/// A server of a run.
pub(crate) struct Listening {
    server: Server,
    feed: Feed,
}

/// The most bytes of a file with a token.
const MOST_TOKEN: u64 = 4096;

impl Listening {
    /// Listens, and tells the `observer` where. What can be known of the run is known to the server by the board, and by its
    /// [observer](Self::observer).
    pub(crate) async fn start(
        listen: &Listen,
        board: Arc<Board>,
        controls: Arc<Controls>,
        observer: &dyn Observer,
    ) -> Result<Self, Failure> {
        let token = listen.token_file.as_deref().map(listen_token).transpose()?;
        let feed = Feed::default();
        let is_loopback = listen.address.ip().is_loopback();
        let scope = if is_loopback { ListenScope::Loopback } else { ListenScope::Network };
        let control = (listen.rights == Rights::Control).then(|| Arc::clone(&controls) as _);
        let version = env!("CARGO_PKG_VERSION");
        let shown = Shown { board, feed: feed.clone(), token, control, measuring: controls, version };
        let server = Server::bind(listen.address, shown).await.map_err(unbound)?;
        let address = server.address();
        observer.observe(&Event::Run(RunEvent::Listening(address, scope)));
        Ok(Self { server, feed })
    }

    /// Whom to tell what happens.
    pub(crate) fn observer(&self, queues: Queues) -> Arc<dyn Observer> {
        EventsObserver::of(self.feed.clone(), queues)
    }

    /// Ends the server, and waits for it.
    pub(crate) async fn end(self) {
        self.server.end().await;
    }
}

/// Passes on what happens to whoever reads it over HTTP.
pub(crate) struct EventsObserver {
    feed: Feed,
    queues: Queues,
}

impl EventsObserver {
    /// Passes it on to whoever reads this feed.
    pub(crate) fn of(feed: Feed, queues: Queues) -> Arc<dyn Observer> {
        Arc::new(Self { feed, queues })
    }
}

impl Observer for EventsObserver {
    fn observe(&self, event: &Event<'_>) {
        if !self.feed.is_read() {
            return;
        }
        let Some(shown) = events::shown(event, self.queues) else { return };
        self.feed.send(shown.name, &event_as_json(shown));
    }
}

/// The token that a request must know, in the file of `--listen-token-file`.
pub(crate) fn listen_token(path: &Path) -> Result<Token, Failure> {
    token(path, "--listen-token-file", Some("openssl rand -hex 32"))
}

/// The token in a file that an option names; `write` is a command that prints one, if it need not be that of another file.
pub(crate) fn token(path: &Path, option: &str, write: Option<&str>) -> Result<Token, Failure> {
    let wrong = |error: anyhow::Error| {
        let context = format!("{option} {}", printable_line(&path.to_string_lossy()));
        Failure::of(Status::BadConfiguration, error.context(context))
    };
    let text = read_secret(path, MOST_TOKEN).map_err(|error| wrong(advised(error, path, write)))?;
    Token::new(&text).map_err(|error| wrong(error.into()))
}

/// Why there is no secret, with what to do about it behind that: `write` is a command that prints one, if that can be.
pub(crate) fn advised(error: SecretError, path: &Path, write: Option<&str>) -> anyhow::Error {
    let advice = error.advice(path, write);
    let error = anyhow::Error::new(error);
    match advice {
        Some(advice) => anyhow!("{error:#}: {advice}"),
        None => error,
    }
}

/// What it means that the address cannot be listened at, and what to do.
fn unbound(error: BindError) -> Failure {
    let (status, advice) = match error.source.kind() {
        io::ErrorKind::AddrInUse => (
            Status::Unavailable,
            ": another process has that port: end it, or take another one, any free one with --listen 127.0.0.1:0",
        ),
        io::ErrorKind::AddrNotAvailable => (
            Status::BadConfiguration,
            ": this machine has no such address: name one of its own with --listen, such as 127.0.0.1",
        ),
        io::ErrorKind::PermissionDenied if error.address.port() < 1024 => {
            (Status::BadConfiguration, ": ports below 1024 are for root: take another, such as 9090")
        }
        _ => (Status::Unavailable, ""),
    };
    let failure = Failure::of(status, error);
    let (status, text) = (failure.status(), failure.text().unwrap_or_default());
    Failure::new(status, format!("{text}{advice}"))
}
