//! What a run shows over HTTP: where it listens, for whom, and whom the server asks and is told by.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use loghost_core::application::{Event, Observer};
use loghost_core::domain::ConsumerName;
use loghost_http::{BindError, Board, Feed, QueueDepths, Server, Shown, Token};
use loghost_rabbitmq::{Lifetime, Names, ReconnectingConnection, queue_lengths};
use loghost_system::private::read_secret;
use tokio::io;

use crate::compose::connections::Connections;
use crate::compose::failure::{Failure, Status};
use crate::ui::events::{self, Queues};
use crate::ui::terminal::{self, event_as_json};

/// Where to listen, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    /// The file of the token that a request must know, if it must.
    pub(crate) token_file: Option<PathBuf>,
}

/// A server of a run.
pub(crate) struct Listening {
    server: Server,
    board: Arc<Board>,
    feed: Feed,
}

/// The most bytes of a file with a token.
const MOST_TOKEN: u64 = 4096;

impl Listening {
    /// Listens, and says where. What can be known of the run is known to the server by its [observers](Self::observers).
    pub(crate) async fn start(listen: &Listen) -> Result<Self, Failure> {
        let token = listen.token_file.as_deref().map(token).transpose()?;
        let (board, feed) = (Arc::new(Board::default()), Feed::default());
        let is_for_all = !listen.address.ip().is_loopback();
        let shown = Shown {
            board: Arc::clone(&board),
            feed: feed.clone(),
            token,
            version: env!("CARGO_PKG_VERSION"),
        };
        let server = Server::bind(listen.address, shown).await.map_err(unbound)?;
        let address = server.address();
        terminal::notice(&format!(
            "listening at http://{address}: /metrics /ready /api/consumers /api/events"
        ));
        if is_for_all {
            terminal::warning(
                "HTTP is not encrypted: whoever can read what is sent over the network between here and there can read the \
                 token; keep it to a network of your own, or put a proxy with TLS before it",
            );
        }
        Ok(Self { server, board, feed })
    }

    /// Whom to tell what happens.
    pub(crate) fn observers(&self, queues: Queues) -> [Arc<dyn Observer>; 2] {
        let events = EventsObserver { feed: self.feed.clone(), queues };
        [Arc::clone(&self.board) as _, Arc::new(events)]
    }

    /// What is shown of consumers.
    pub(crate) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Has the broker asked for the queues of consumers, if those can be named.
    pub(crate) fn ask(&self, connections: &Connections, lifetime: Lifetime) {
        if lifetime == Lifetime::Named {
            let depths = BrokerDepths {
                connection: Arc::clone(&connections.consuming),
                names: connections.names.clone(),
            };
            // A run has one broker.
            let _ = self.server.ask_depths(Box::new(depths));
        }
    }

    /// Ends the server, and waits for it.
    pub(crate) async fn end(self) {
        self.server.end().await;
    }
}

/// Passes on what happens to whoever reads it over HTTP.
struct EventsObserver {
    feed: Feed,
    queues: Queues,
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

/// Asks the broker how many messages wait in queues.
struct BrokerDepths {
    connection: Arc<ReconnectingConnection>,
    names: Names,
}

impl QueueDepths for BrokerDepths {
    fn ready(&self, consumers: Vec<ConsumerName>, within: Duration) -> BoxFuture<'_, Vec<Option<u32>>> {
        let queues: Vec<String> = consumers.iter().map(|consumer| self.names.queue(consumer)).collect();
        async move { queue_lengths(&self.connection, &queues, within).await }.boxed()
    }
}

/// The token in a file.
fn token(path: &Path) -> Result<Token, Failure> {
    let wrong = |error: anyhow::Error| {
        let context = format!("--listen-token-file {}", path.display());
        Failure::of(Status::BadConfiguration, error.context(context))
    };
    let text = read_secret(path, MOST_TOKEN).map_err(|error| wrong(error.into()))?;
    Token::new(&text).map_err(|error| wrong(error.into()))
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
