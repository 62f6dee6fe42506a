//! Connecting to the first broker that answers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::{Channel, ConnectionProperties, Consumer, ErrorKind, Event};
use loghost_core::application::{Notice, SourceError, Tell};
use loghost_system::Refusal;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::connection::address::Address;
use crate::connection::advice::hint;
use crate::connection::frame_filter::SkipBodies;
use crate::connection::greeting::{Greeting, Product};
use crate::connection::handshake;
use crate::connection::refusals::Refusals;
use crate::connection::tls::TlsFileError;

/// A connection, and where it leads.
pub struct Connection {
    inner: lapin::Connection,
    address: Address,
    product: Product,
    channels: Mutex<Vec<Open>>,
    /// How many consumers there have been.
    consumers: AtomicU64,
    skip_bodies: SkipBodies,
    tell: Tell,
    /// What its user may not do.
    pub(crate) refusals: Refusals,
    /// Says when the broker holds publishers back; ends with the connection.
    watch: AbortHandle,
    /// What the client said of its end.
    ended: watch::Receiver<Option<String>>,
}

/// A channel that is open, and the tags of those who consume on it; none where nobody ever did.
struct Open {
    channel: Channel,
    consumers: Option<Vec<ShortString>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Why there is no connection: for each address in turn.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{}{}",
    .failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    .patience.map(|patience| format!(" (tried for {})", humantime::format_duration(patience))).unwrap_or_default()
)]
pub struct ConnectError {
    failures: Vec<NoConnection>,
    /// How long it was tried.
    patience: Option<Duration>,
}

/// Why there is none to one address.
#[derive(Clone, Debug, thiserror::Error)]
enum NoConnection {
    /// There was one.
    #[error("lost the connection to the broker at {0}: {1}{hint}", hint = hint(.1))]
    Lost(Address, String),
    /// A broker answered, and said no.
    #[error("the broker at {0} refused: {1}{hint}", hint = hint(.1))]
    Refused(Address, String),
    /// A broker answered, and cannot serve anybody at the moment: it starts, ends, or is full.
    #[error("the broker at {0} is not ready: {1}{hint}", hint = hint(.1))]
    NotReady(Address, String),
    /// There was no answer, or none that a broker gives.
    #[error("no broker at {0}: {1}")]
    NoBroker(Address, String),
    /// This side's own system gives no connection.
    #[error("cannot connect to the broker at {0}: {1}: {2}")]
    System(Address, String, Refusal),
    /// One of the sides is not sure of the other.
    #[error("no secure connection to {0}: {1}")]
    Distrust(Address, String),
    /// The files for TLS cannot be used.
    #[error("no secure connection to {0}: {1}")]
    BadFile(Address, TlsFileError),
}

/// What stands in the way of a connection, from what it takes least to remove; only the first three may go away by
/// themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// There is no broker.
    Absence,
    /// There is one, which takes no connection at the moment.
    Unready,
    /// The system that this runs on gives no more files.
    System,
    /// There is a broker, and it does not want this user or has no such virtual host.
    Refusal,
    /// The broker's certificate is not to be trusted, or the broker does not trust ours.
    Distrust,
    /// What is said about TLS cannot be used.
    Setting,
}

impl Obstacle {
    /// Whether somebody has to remove it.
    pub(crate) fn is_lasting(self) -> bool {
        self > Self::System
    }
}

impl NoConnection {
    fn obstacle(&self) -> Obstacle {
        match self {
            Self::NoBroker(..) | Self::Lost(..) => Obstacle::Absence,
            Self::NotReady(..) => Obstacle::Unready,
            Self::System(..) => Obstacle::System,
            Self::Refused(..) => Obstacle::Refusal,
            Self::Distrust(..) => Obstacle::Distrust,
            Self::BadFile(..) => Obstacle::Setting,
        }
    }

    /// Whether it passes, or has not been `said`.
    fn is_news(&self, said: &mut HashSet<String>) -> bool {
        !self.obstacle().is_lasting() || said.insert(self.to_string())
    }
}

impl ConnectError {
    /// Says of a connection that is no longer alive why that is.
    pub(crate) async fn lost(connection: &Connection) -> Self {
        let mut ended = connection.ended.clone();
        // The client notes that it is gone before it says why.
        let reason = match timeout(Duration::from_secs(1), ended.wait_for(Option::is_some)).await {
            Ok(Ok(reason)) => reason.clone(),
            _ => None,
        };
        let reason = reason.unwrap_or_else(|| "it is closed".to_owned());
        Self { failures: vec![NoConnection::Lost(connection.address.clone(), reason)], patience: None }
    }

    /// The same error, after it was tried for so long.
    pub(crate) fn after(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// What stands in the way; with several addresses, what it takes least to remove: one of them is enough.
    pub fn obstacle(&self) -> Obstacle {
        self.failures.iter().map(NoConnection::obstacle).min().unwrap_or(Obstacle::Absence)
    }

    /// Whether a broker does not want this user, or has no such virtual host, and would say so again.
    pub fn is_refusal(&self) -> bool {
        self.obstacle() == Obstacle::Refusal
    }

    /// What there is to say while it is tried again: what somebody has to remove is said once.
    pub(crate) fn news(&self, said: &mut HashSet<String>) -> String {
        let news = self.failures.iter().filter(|failure| failure.is_news(said));
        news.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

impl Connection {
    /// Connects to the first of `addresses` that lets us in; `purpose` names the connection to the broker.
    /// `tell` is told when the broker holds publishers back, and when it no longer does; also what lasts at the
    /// addresses before, unless it was `said`.
    pub async fn open(
        addresses: &[Address],
        purpose: &str,
        tell: Tell,
        said: &mut HashSet<String>,
    ) -> Result<Self, ConnectError> {
        let mut failures: Vec<NoConnection> = Vec::new();
        for address in addresses {
            let name = format!("loghost {purpose}");
            let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
            let (skip_bodies, greeting) = (SkipBodies::default(), Greeting::default());
            let connecting = connect(address, (skip_bodies.clone(), greeting.clone()), properties);
            failures.push(match timeout(address.timeout(), connecting).await {
                Ok(Ok(inner)) => {
                    let lasting = failures.iter().filter(|failure| failure.obstacle().is_lasting());
                    for failure in lasting.filter(|failure| failure.is_news(said)) {
                        tell(&Notice::warning(&format!("{purpose}: {failure}: the next one is used")));
                    }
                    return Ok(Self::new(inner, address.clone(), greeting.product(), skip_bodies, tell));
                }
                Ok(Err(failure)) => failure,
                Err(_) => {
                    let waited = humantime::format_duration(address.timeout());
                    NoConnection::NoBroker(address.clone(), format!("no answer within {waited}"))
                }
            });
        }
        Err(ConnectError { failures, patience: None })
    }

    fn new(
        inner: lapin::Connection,
        address: Address,
        product: Product,
        skip_bodies: SkipBodies,
        tell: Tell,
    ) -> Self {
        let mut events = inner.events_listener();
        let (end, ended) = watch::channel(None);
        let watch = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::ConnectionBlocked(why) = event {
                    tell(&Notice::warning(&format!("the broker holds publishers back: {why}")));
                } else if let Event::ConnectionUnblocked = event {
                    tell(&Notice::info("the broker takes logs again"));
                } else if let Event::Error(error) = event
                    // Otherwise it is the end of a channel.
                    && !error.is_amqp_soft_error()
                {
                    end.send_replace(Some(reason(&error)));
                }
            }
        });
        let (channels, watch) = (Mutex::new(Vec::new()), watch.abort_handle());
        let consumers = AtomicU64::new(0);
        let refusals = Refusals::default();
        Self { inner, address, product, channels, consumers, skip_bodies, tell, refusals, watch, ended }
    }

    /// Where it leads.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Says what happens on it.
    pub(crate) fn warn(&self, text: &str) {
        (self.tell)(&Notice::warning(text));
    }

    /// What the broker says it is.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// Whether it is there, as far as this side knows.
    pub(crate) fn is_alive(&self) -> bool {
        self.inner.status().connected()
    }

    /// The most bytes of a frame: what both sides agreed on, and not more than is usual, because whoever
    /// reads a message elsewhere has a limit as well.
    pub(crate) fn frame_max(&self) -> usize {
        usize::try_from(self.inner.configuration().frame_max())
            .map_or(USUAL_FRAME, |max| max.min(USUAL_FRAME))
    }

    /// Whether it is gone, after something on it has failed: what fails may come before the client notes
    /// that the connection has ended.
    pub(crate) async fn is_gone(&self) -> bool {
        let mut ended = self.ended.clone();
        !self.is_alive() || timeout(GOODBYE, ended.wait_for(Option::is_some)).await.is_ok()
    }

    /// Waits until it ends. Whoever waits for an answer waits for this as well: the client answers nothing
    /// that is asked of it just after a connection has ended.
    pub async fn end(&self) {
        let mut ended = self.ended.clone();
        while self.is_alive() {
            // The end is told, but that it is told is not relied on.
            if timeout(Duration::from_secs(1), ended.wait_for(Option::is_some)).await.is_ok() {
                return;
            }
        }
    }

    /// What comes of something that was asked on this connection; an error if it ends before.
    pub(crate) async fn answer<T, E: From<Ended>>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            biased;
            answer = asked => answer,
            () = self.end() => Err(Ended.into()),
        }
    }

    /// Opens a channel, which lasts as long as the connection unless it is closed: one that merely goes
    /// out of scope is closed behind everybody's back, and meets the connection's own end half-way.
    pub(crate) async fn channel(&self) -> lapin::Result<Channel> {
        let channel = self.inner.create_channel().await?;
        self.skip_bodies.remove(channel.id());
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|open| open.channel.status().connected());
        channels.push(Open { channel: channel.clone(), consumers: None });
        drop(channels);
        Ok(channel)
    }

    /// Begins to consume `queue` on `channel`.
    pub(crate) async fn consume(&self, channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let number = self.consumers.fetch_add(1, Ordering::Relaxed);
        let tag = ShortString::from(format!("loghost-{number}"));
        // Before it is asked for: whoever stops waiting for the answer has a consumer all the same.
        self.on(channel, |open| open.consumers.get_or_insert_default().push(tag.clone()));
        channel.basic_consume(queue.into(), tag, options, none).await
    }

    /// Ends a consumer: what it was given stays held.
    pub(crate) async fn cancel(&self, channel: &Channel, consumer: &Consumer) -> lapin::Result<()> {
        let tag = consumer.tag();
        self.on(channel, |open| {
            open.consumers.iter_mut().for_each(|tags| tags.retain(|other| *other != tag));
        });
        channel.basic_cancel(tag, BasicCancelOptions::default()).await
    }

    fn on<T>(&self, channel: &Channel, what: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.iter_mut().find(|open| open.channel.id() == channel.id()).map(what)
    }

    /// Gives back what was delivered on `channel` and is not acknowledged, to its place in the queue, and closes
    /// the channel. To say so is the one way back that does not count as a failed delivery: a queue with a
    /// delivery limit counts the end of a channel, of a connection, and each message that is rejected.
    pub(crate) async fn give_back(&self, channel: &Channel) {
        // First, or what goes back comes again at once.
        let tags = self.on(channel, |open| open.consumers.take()).flatten().unwrap_or_default();
        let giving_back = async {
            for tag in tags {
                let _ = channel.basic_cancel(tag, BasicCancelOptions::default()).await;
            }
            let all = BasicNackOptions { multiple: true, requeue: true };
            let _ = channel.basic_nack(0, all).await;
            let _ = channel.close(200, ShortString::from("done")).await;
        };
        // What a broker does not hear it finds out.
        let _ = timeout(GOODBYE, giving_back).await;
    }

    /// Leaves out the bodies of what comes on `channel`, from now on and until it is closed.
    pub(crate) fn leave_out_bodies(&self, channel: &Channel) {
        self.skip_bodies.add(channel.id());
    }

    /// Says goodbye, so that the broker has requeued what is not acknowledged when this returns. A
    /// connection that is gone, or whose broker does not answer, needs no goodbye.
    pub async fn close(&self) {
        let consuming: Vec<Channel> = {
            let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
            let consuming = channels.iter().filter(|open| open.consumers.is_some());
            consuming
                .map(|open| open.channel.clone())
                .filter(|channel| channel.status().connected())
                .collect()
        };
        join_all(consuming.iter().map(|channel| self.give_back(channel))).await;
        let _ = timeout(GOODBYE, self.inner.close(200, ShortString::from("done"))).await;
    }
}

/// The frame that brokers and clients agree on unless they are told otherwise.
const USUAL_FRAME: usize = 128 * 1024;

/// Connects to the broker at `address`, with TLS where that is meant.
async fn connect(
    address: &Address,
    inlet: (SkipBodies, Greeting),
    properties: ConnectionProperties,
) -> Result<lapin::Connection, NoConnection> {
    let tls = match address.tls() {
        Some(tls) => {
            let connector = tls.connector().map_err(|e| NoConnection::BadFile(address.clone(), e))?;
            Some((connector, tls.server_name.clone()))
        }
        None => None,
    };
    let connected = handshake::connect(address.uri(), tls, inlet, properties).await;
    connected.map_err(|error| {
        let (address, tls) = (address.clone(), address.tls());
        if let Some(why) = tls.and_then(|tls| handshake::distrust(&error, tls)) {
            NoConnection::Distrust(address, why)
        } else if let Some(refusal) = Refusal::behind(&error) {
            NoConnection::System(address, reason(&error), refusal)
        } else if is_passing(&error) {
            NoConnection::NotReady(address, reason(&error))
        } else if error.is_amqp_error() {
            NoConnection::Refused(address, reason(&error))
        } else {
            let suspicion = handshake::suspicion(&error, tls).map(|suspicion| format!(": {suspicion}"));
            NoConnection::NoBroker(address, reason(&error) + &suspicion.unwrap_or_default())
        }
    })
}

/// How long a broker may take to answer a goodbye.
pub(crate) const GOODBYE: Duration = Duration::from_secs(2);

/// Whether a broker that says this to somebody who connects may say something else soon: `RabbitMQ`
/// listens before its virtual hosts are up, and for a moment while it shuts down.
fn is_passing(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(answer) = error.kind() else { return false };
    let text = answer.get_message().as_str();
    let refused = matches!(answer.kind(), AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED))
        || matches!(answer.kind(), AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED));
    !refused || text.contains("is down") || is_at_a_limit(text)
}

/// A connection that has ended before there was an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection has ended")]
pub struct Ended;

impl From<Ended> for SourceError {
    fn from(ended: Ended) -> Self {
        Self::Lost(ended.into())
    }
}

/// Where the fault is when a channel or a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// With the broker or the network: it may go well the next time.
    Elsewhere,
    /// There is nothing of the name that was used.
    Missing,
    /// In something that was sent.
    Ours,
    /// The user may not do this.
    Permission,
}

/// Where the fault is.
pub(crate) fn fault(error: &lapin::Error) -> Fault {
    let answer = match error.kind() {
        ErrorKind::ProtocolError(answer) => answer,
        ErrorKind::SerialisationError(_) => return Fault::Ours,
        _ => return Fault::Elsewhere,
    };
    match answer.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Fault::Permission,
        _ if is_momentary(answer.kind(), answer.get_message().as_str()) => Fault::Elsewhere,
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Fault::Missing,
        // The latter two are what a broker says to what was still on its way on a channel it has closed.
        AMQPErrorKind::Hard(
            AMQPHardError::CONNECTIONFORCED
            | AMQPHardError::INTERNALERROR
            | AMQPHardError::CHANNELERROR
            | AMQPHardError::UNEXPECTEDFRAME,
        ) => Fault::Elsewhere,
        AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => Fault::Ours,
    }
}

/// Whether a refusal is one of those that the broker takes back by itself: `RabbitMQ` answers that a queue is
/// not found while the node that it lives on is down (version 4 after a minute, and then that this was a timeout), or its
/// process starts, and that something is not allowed while a limit is reached.
fn is_momentary(kind: &AMQPErrorKind, text: &str) -> bool {
    match kind {
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => {
            ["is down", "by supervisor", "due to timeout"].iter().any(|words| text.contains(words))
        }
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => text.contains("queue limit in vhost"),
        AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => is_at_a_limit(text),
        _ => false,
    }
}

/// Whether a broker says that a limit is reached: names that users give may have that word as well.
fn is_at_a_limit(text: &str) -> bool {
    [") is reached", "has reached the maximum allowed", "connection limit cannot be queried"]
        .iter()
        .any(|words| text.contains(words))
}

/// What went wrong, in the broker's words where it had any.
pub(crate) fn reason(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(answer) => answer.get_message().to_string(),
        _ => error.to_string(),
    }
}

/// The end of a connection, as its source tells it.
pub(crate) fn lost(error: &lapin::Error) -> SourceError {
    SourceError::Lost(reason(error).into())
}
