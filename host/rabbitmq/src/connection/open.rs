//! A connection to the first broker that answers: how it is made, whose it is, and why it has ended.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::ConnectionProperties;
use lapin::types::LongString;
use loghost_core::application::{ConnectionEvent, Event, Observer};
use loghost_core::domain::ConsumerName;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::connection::address::Address;
use crate::connection::channels::Channels;
use crate::connection::denied_rights::DeniedRights;
use crate::connection::error::{ConnectError, NoConnection};
use crate::connection::fault::{ConnectionEnded, is_internal, reason};
use crate::connection::handshake;
use crate::connection::product::{AnnouncedProduct, Product};
use crate::connection::skip_bodies::SkipBodies;
use crate::topology::event::TopologyEvent;
use crate::topology::streams::ComparedStreams;

/// How long a broker may take to answer that a channel or the connection is closed.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The size of a frame that brokers and clients agree on by default.
const USUAL_FRAME: usize = 128 * 1024;

/// A connection to a broker.
pub struct Connection {
    pub(super) inner: lapin::Connection,
    address: Address,
    product: Product,
    pub(super) channels: Channels,
    observer: Arc<dyn Observer>,
    /// What the user may not do.
    pub(crate) denied: DeniedRights,
    /// What is known of streams.
    pub(crate) compared: ComparedStreams,
    /// Tells when the broker blocks publishers; ends with the connection.
    watch: AbortHandle,
    /// Why it has ended, once the client has said so.
    ended: watch::Receiver<Option<ConnectionEnd>>,
}

/// Why a connection has ended.
#[derive(Clone)]
struct ConnectionEnd {
    reason: String,
    /// Whether something failed in the broker that it gives no name to.
    is_internal: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Connection {
    /// Connects to the first of `addresses` that accepts the connection, which the broker knows by its `purpose`. The
    /// `observer` is told when the broker blocks publishers and when it no longer does, and of failures at the addresses
    /// before that will not pass, unless they were `said`.
    pub async fn open(
        addresses: &[Address],
        purpose: &str,
        observer: &Arc<dyn Observer>,
        said: &mut HashSet<String>,
    ) -> Result<Self, ConnectError> {
        let mut failures: Vec<NoConnection> = Vec::new();
        for address in addresses {
            let name = format!("loghost {purpose}");
            let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
            let (skip_bodies, product) = (SkipBodies::default(), AnnouncedProduct::default());
            let connecting = connect(address, (skip_bodies.clone(), product.clone()), properties);
            failures.push(match timeout(address.timeout(), connecting).await {
                Ok(Ok(inner)) => {
                    let lasting = failures.iter().filter(|failure| failure.obstacle().is_lasting());
                    for failure in lasting.filter(|failure| failure.is_news(said)) {
                        let cause = &failure.to_string();
                        observer.observe(&Event::Connection(purpose, ConnectionEvent::Skipped { cause }));
                    }
                    let (address, product) = (address.clone(), product.told());
                    return Ok(Self::new(inner, address, product, skip_bodies, (purpose, observer)));
                }
                Ok(Err(failure)) => failure,
                Err(_) => {
                    let waited = humantime::format_duration(address.timeout());
                    let why = format!(
                        "no answer within {waited}: it is off or very busy, something else listens there, or a firewall \
                         drops what is sent"
                    );
                    NoConnection::NotABroker(address.clone(), why)
                }
            });
        }
        Err(ConnectError::new(failures))
    }

    fn new(
        inner: lapin::Connection,
        address: Address,
        product: Product,
        skip_bodies: SkipBodies,
        (purpose, observer): (&str, &Arc<dyn Observer>),
    ) -> Self {
        let mut events = inner.events_listener();
        let (end, ended) = watch::channel(None);
        let (purpose, told) = (purpose.to_owned(), Arc::clone(observer));
        let watch = tokio::spawn(async move {
            let tell = |event: ConnectionEvent<'_>| told.observe(&Event::Connection(&purpose, event));
            while let Some(event) = events.next().await {
                if let lapin::Event::ConnectionBlocked(why) = event {
                    tell(ConnectionEvent::Blocked { cause: &why });
                } else if let lapin::Event::ConnectionUnblocked = event {
                    tell(ConnectionEvent::Unblocked);
                } else if let lapin::Event::Error(error) = event
                    // Otherwise it is the end of a channel.
                    && !error.is_amqp_soft_error()
                {
                    end.send_replace(Some(ConnectionEnd {
                        reason: reason(&error),
                        is_internal: is_internal(&error),
                    }));
                }
            }
        });
        let (channels, watch) = (Channels::new(skip_bodies), watch.abort_handle());
        let (observer, denied) = (Arc::clone(observer), DeniedRights::default());
        let compared = ComparedStreams::default();
        Self { inner, address, product, channels, observer, denied, compared, watch, ended }
    }

    /// Another connection to the same broker, which is not made again. The broker knows it by its `purpose`.
    pub(crate) async fn beside(&self, purpose: &str) -> Result<Self, ConnectError> {
        let address = std::slice::from_ref(&self.address);
        Self::open(address, purpose, &self.observer, &mut HashSet::new()).await
    }

    /// The address of the broker.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Who is told what happens on it.
    pub fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// Tells of something that happens to exchanges and queues, on behalf of a consumer or of none.
    pub fn tell(&self, consumer: Option<&ConsumerName>, event: &TopologyEvent) {
        self.observer.observe(&Event::Adapter(consumer, event));
    }

    /// The broker's product, as it says.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// Whether it is open, as far as the client knows.
    pub fn is_alive(&self) -> bool {
        self.inner.status().connected()
    }

    /// The most bytes of a frame: what both sides agreed on, and not more than the default, because another reader of the
    /// same message may have a lower limit.
    pub(crate) fn frame_max(&self) -> usize {
        usize::try_from(self.inner.configuration().frame_max())
            .map_or(USUAL_FRAME, |max| max.min(USUAL_FRAME))
    }

    /// Whether it is gone, after something on it has failed: the client may report that failure before it notes that the
    /// connection has ended.
    pub async fn is_gone(&self) -> bool {
        let mut ended = self.ended.clone();
        !self.is_alive() || timeout(CLOSE_TIMEOUT, ended.wait_for(Option::is_some)).await.is_ok()
    }

    /// Why it has ended, after it has.
    pub async fn loss(&self) -> ConnectError {
        let mut ended = self.ended.clone();
        // The client closes its state before it reports the reason.
        let reason = match timeout(Duration::from_secs(1), ended.wait_for(Option::is_some)).await {
            Ok(Ok(end)) => end.as_ref().map(|end| end.reason.clone()),
            _ => None,
        };
        let reason = reason.unwrap_or_else(|| "it is closed".to_owned());
        ConnectError::new(vec![NoConnection::Lost(self.address.clone(), reason)])
    }

    /// Whether the broker has ended it with an internal error: what was asked for, or a message that was to be delivered,
    /// is more than the broker can do, and it may be the same again.
    pub(crate) async fn has_ended_internally(&self) -> bool {
        if self.is_alive() {
            return false;
        }
        let mut ended = self.ended.clone();
        // The client closes its state before it reports the reason.
        let reason = timeout(Duration::from_secs(1), ended.wait_for(Option::is_some)).await;
        matches!(reason, Ok(Ok(end)) if end.as_ref().is_some_and(|end| end.is_internal))
    }

    /// Waits until it ends. Whoever waits for an answer waits for this as well: the client never completes a request that
    /// is made just after the connection has ended.
    pub async fn end(&self) {
        let mut ended = self.ended.clone();
        while self.is_alive() {
            // The client reports the end, but not reliably.
            if timeout(Duration::from_secs(1), ended.wait_for(Option::is_some)).await.is_ok() {
                return;
            }
        }
    }

    /// The answer to something that was asked on this connection; an error if it ends before.
    pub(crate) async fn answer<T, E: From<ConnectionEnded>>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            biased;
            answer = asked => answer,
            () = self.end() => Err(ConnectionEnded.into()),
        }
    }
}

/// Connects to the broker at `address`, with TLS if the URL says so.
async fn connect(
    address: &Address,
    received: (SkipBodies, AnnouncedProduct),
    properties: ConnectionProperties,
) -> Result<lapin::Connection, NoConnection> {
    let tls = match address.tls() {
        Some(tls) => {
            let connector = tls.connector().map_err(|e| NoConnection::BadFile(address.clone(), e))?;
            Some((connector, tls.server_name.clone()))
        }
        None => None,
    };
    let connected = handshake::connect(address.uri(), tls, received, properties).await;
    connected.map_err(|error| NoConnection::of(address, &error))
}
