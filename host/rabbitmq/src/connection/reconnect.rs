//! A connection that is made again when it is lost.
//!
//! Knows how long to wait and what to say meanwhile; whoever used the connection declares and sends again what was lost with
//! it.

use std::collections::HashSet;
use std::mem::take;
use std::sync::{Arc, Mutex as BlockingMutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::{join, join_all};
use loghost_core::application::{ConnectionEvent, Event, Observer, PublisherEvent};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::connection::address::Address;
use crate::connection::error::ConnectError;
use crate::connection::open::Connection;

/// How long a broker that cannot be reached is tried again. One that refuses the user, or that TLS does not accept, is not
/// tried again, unless there are other addresses that may answer later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not at all.
    Never,
    /// Not at the start, and for ever once there has been a connection.
    WhenLost,
    /// For this long, at the start and at each loss.
    For(Duration),
}

impl Retry {
    /// The timeout for errors of a reachable broker that may pass; none if they are waited for without end.
    pub fn timeout(self) -> Option<Duration> {
        match self {
            Self::For(timeout) => Some(timeout),
            Self::Never | Self::WhenLost => None,
        }
    }
}

/// The delays between attempts. Jitter lengthens each by up to its own length, so that those who lost the
/// same broker do not all reconnect at once.
pub(crate) const DELAYS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times()
    .with_jitter();

/// A connection that is lost sooner than this does not end the outage that was before it.
const STEADY: Duration = Duration::from_secs(1);

/// A connection for one purpose, shared by all who use it.
pub struct ReconnectingConnection {
    addresses: Vec<Address>,
    purpose: String,
    retry: Retry,
    observer: Arc<dyn Observer>,
    /// Held while connecting: all wait for the same attempt.
    state: Mutex<ConnectionState>,
    /// Those that were made beside it, and end with it.
    separate: BlockingMutex<Vec<Arc<Self>>>,
}

struct ConnectionState {
    /// With the time at which it was made.
    current: Option<(Arc<Connection>, Instant)>,
    /// The one there is, or the last one.
    outage: Outage,
    /// The failures that will not pass, and that were said.
    said: HashSet<String>,
    /// Why no further connection is made.
    over: Option<ConnectError>,
}

/// A time without a connection.
struct Outage {
    kind: Kind,
    began: Instant,
    /// When the next attempt is made.
    next: Instant,
    failed_attempts: u32,
    delays: ExponentialBackoff,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Before the first connection.
    Start,
    /// After one of which it was noticed at this time that it was lost.
    Loss(Instant),
}

impl ReconnectingConnection {
    /// A connection to the first of `addresses` that answers, which is made when it is first needed. `purpose`
    /// names it; the `observer` is told what happens to it, and to all that is done on it.
    pub fn new(
        addresses: Vec<Address>,
        purpose: impl Into<String>,
        retry: Retry,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self::begin(addresses, purpose.into(), retry, observer, Kind::Start)
    }

    fn begin(
        addresses: Vec<Address>,
        purpose: String,
        retry: Retry,
        observer: Arc<dyn Observer>,
        kind: Kind,
    ) -> Self {
        let state =
            ConnectionState { current: None, outage: Outage::new(kind), said: HashSet::new(), over: None };
        let (state, separate) = (Mutex::new(state), BlockingMutex::default());
        Self { addresses, purpose, retry, observer, state, separate }
    }

    /// Another connection to the same addresses, for `user` alone, which is closed with this one.
    pub(crate) fn separate(&self, user: &str) -> Arc<Self> {
        let (addresses, purpose) = (self.addresses.clone(), format!("{} {user}", self.purpose));
        // There has been a connection: a failure is no reason to give up that was none before.
        let kind = Kind::Loss(Instant::now());
        let separate =
            Arc::new(Self::begin(addresses, purpose, self.retry, Arc::clone(&self.observer), kind));
        self.separate.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&separate));
        separate
    }

    /// The live connection, or a new one: waits for it as long as `retry` says, and says what it waits for. Once this has
    /// failed, it always fails. Nothing is lost if the future is dropped.
    pub async fn connection(&self) -> Result<Arc<Connection>, ConnectError> {
        let mut state = self.state.lock().await;
        if let Some(error) = &state.over {
            return Err(error.clone());
        }
        if let Some((connection, made)) = state.current.clone() {
            if connection.is_alive() {
                return Ok(connection);
            }
            let lost = connection.loss().await;
            state.current = None;
            if self.retry == Retry::Never {
                state.over = Some(lost.clone());
                return Err(lost);
            }
            self.tell(ConnectionEvent::Lost { cause: &lost.to_string() });
            let kind = Kind::Loss(Instant::now());
            if made.elapsed() >= STEADY {
                state.outage = Outage::new(kind);
            } else {
                state.outage.kind = kind;
            }
            state.outage.postpone(self.retry);
        }
        loop {
            sleep_until(state.outage.next).await;
            match Connection::open(&self.addresses, &self.purpose, &self.observer, &mut state.said).await {
                Ok(connection) => {
                    let address = &connection.address().to_string();
                    let Outage { kind, failed_attempts, .. } = state.outage;
                    self.tell(match kind {
                        Kind::Start => ConnectionEvent::Connected { address, failed_attempts },
                        Kind::Loss(at) => ConnectionEvent::Reconnected { address, outage: at.elapsed() },
                    });
                    let connection = Arc::new(connection);
                    state.current = Some((Arc::clone(&connection), Instant::now()));
                    return Ok(connection);
                }
                Err(error) if error.obstacle().is_lasting() || state.outage.is_over(self.retry) => {
                    let error = match self.retry {
                        Retry::For(timeout) if !error.obstacle().is_lasting() => error.after(timeout),
                        _ => error,
                    };
                    state.over = Some(error.clone());
                    return Err(error);
                }
                Err(error) => {
                    state.outage.failed_attempts += 1;
                    let retry_after = state.outage.postpone(self.retry);
                    self.tell(ConnectionEvent::Failed { cause: &error.news(&mut state.said), retry_after });
                }
            }
        }
    }

    /// Makes the connection again each time it is lost, also while nobody uses it; returns when no further one is
    /// made. Nothing is lost if the future is dropped.
    pub async fn keep(&self) -> ConnectError {
        loop {
            match self.connection().await {
                Ok(connection) => connection.end().await,
                Err(error) => return error,
            }
        }
    }

    /// Closes the connection, and those that were made beside it: when this returns, the broker has requeued what is not
    /// acknowledged.
    pub async fn close(&self) {
        let separate = take(&mut *self.separate.lock().unwrap_or_else(PoisonError::into_inner));
        let closing = separate.iter().map(|connection| connection.close_this());
        join(self.close_this(), join_all(closing)).await;
    }

    async fn close_this(&self) {
        // While somebody is connecting there is none.
        if let Ok(mut state) = self.state.try_lock()
            && let Some((connection, _)) = state.current.take()
        {
            connection.close().await;
        }
    }

    /// The timeout for errors that may pass; none if they are waited for without end.
    pub(crate) fn retry_timeout(&self) -> Option<Duration> {
        self.retry.timeout()
    }

    fn tell(&self, event: ConnectionEvent<'_>) {
        self.observer.observe(&Event::Connection(&self.purpose, event));
    }

    /// Tells what happens to what is published on it.
    pub(crate) fn tell_of_publishing(&self, event: PublisherEvent<'_>) {
        self.observer.observe(&Event::Publisher(&self.purpose, event));
    }
}

impl Outage {
    /// One that begins now, with an attempt at once.
    fn new(kind: Kind) -> Self {
        let now = Instant::now();
        Self { kind, began: now, next: now, failed_attempts: 0, delays: DELAYS.build() }
    }

    /// Sets the time of the next attempt, the last of which is made when the timeout ends; returns how long
    /// it is until then.
    fn postpone(&mut self, retry: Retry) -> Duration {
        let now = Instant::now();
        // There is always a next one.
        let delay = self.delays.next().unwrap_or(STEADY);
        self.next = match retry {
            Retry::For(timeout) => (now + delay).min(self.began + timeout).max(now),
            Retry::Never | Retry::WhenLost => now + delay,
        };
        self.next - now
    }

    /// Whether no further attempt is made.
    fn is_over(&self, retry: Retry) -> bool {
        match retry {
            Retry::Never => true,
            Retry::WhenLost => self.kind == Kind::Start,
            Retry::For(timeout) => self.began.elapsed() >= timeout,
        }
    }
}
