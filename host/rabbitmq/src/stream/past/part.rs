//! One stream of a span: what of it has come, and where reading goes on after a loss.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;

use backon::{BackoffBuilder, ExponentialBackoff};
use loghost_core::application::{Clock, Delivery, Item, PastLog, PastPosition, SourceError};
use loghost_core::domain::{Record, Timestamp};
use tokio::time::sleep;

use super::Span;
use crate::connection::open::Connection;
use crate::connection::reconnect::{DELAYS, ReconnectingConnection};
use crate::consume::read::Read;
use crate::message::original::Original;
use crate::message::record::NO_TIME;
use crate::stream::amqp::AmqpStreams;
use crate::stream::begin::{Found, Start};
use crate::stream::native::{NativeStreams, WindowLimit};
use crate::stream::options::StreamAddress;
use crate::stream::reading::Reading;
use crate::stream::undeliverable::{self, ends_a_connection};
use crate::stream::way::StreamWay;
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;

/// How many logs of a stream are taken at once.
const BURST: u16 = 1024;

/// How many of them may be under way where AMQP 0-9-1 is spoken. They are acknowledged as they are taken.
const PREFETCH: u16 = 2 * BURST;

/// What streams are read with.
pub(super) struct Setup {
    pub(super) connection: Arc<ReconnectingConnection>,
    pub(super) read: Read,
    pub(super) address: Option<StreamAddress>,
    pub(super) way: StreamWay,
    /// What the broker knows the connections by.
    pub(super) name: String,
}

/// One stream.
pub(super) struct Part {
    pub(super) span: Span,
    /// What has come and was not handed on.
    pub(super) logs: VecDeque<PastLog>,
    /// The first offset that has not come.
    next: u64,
    /// Where reading ends; none where it goes on.
    end: Option<u64>,
    /// The time of the log that has come last.
    latest: Timestamp,
    reading: Option<(Arc<Connection>, Reading<Untimed>)>,
    received: Vec<Delivery<Original>>,
    delays: ExponentialBackoff,
    /// Why it could not be read, as it was told.
    obstacle: Option<String>,
    /// What was to come next when the broker ended the connection with an internal error.
    ended_at: Option<u64>,
}

/// Shows the time that a log has which has none, and of which the broker does not say when it came.
#[derive(Clone, Copy, Debug)]
struct Untimed;

impl Clock for Untimed {
    fn now(&self) -> Timestamp {
        NO_TIME
    }
}

impl Part {
    pub(super) fn new(span: Span) -> Self {
        Self {
            logs: VecDeque::new(),
            next: span.from,
            end: Some(span.until),
            latest: Timestamp::default(),
            reading: None,
            received: Vec::new(),
            delays: DELAYS.build(),
            obstacle: None,
            ended_at: None,
            span,
        }
    }

    /// The time of the next log, if one has come.
    pub(super) fn head(&self) -> Option<Timestamp> {
        let first = self.logs.front()?;
        // What is no log stands where it was found.
        Some(first.log.as_ref().map_or(Timestamp::default(), |record| record.timestamp))
    }

    /// How many offsets of the span were read.
    pub(super) fn read(&self) -> u64 {
        self.next.min(self.span.until) - self.span.from
    }

    /// Whether it goes on behind the span.
    pub(super) fn follows(&self) -> bool {
        self.end.is_none()
    }

    /// Goes on behind the span.
    pub(super) async fn go_on(&mut self, setup: &Setup) {
        if self.end.take().is_some() {
            self.close_reading().await;
            // What it fails at, it fails at again when it is waited for.
            self.reading = setup.open(self.start(), PREFETCH).await.ok();
        }
    }

    /// Waits until something has come, or the end. Nothing is lost if the future is dropped.
    pub(super) async fn fill(&mut self, setup: &Setup) -> Result<(), SourceError> {
        while self.logs.is_empty() && self.end.is_none_or(|end| self.next < end) {
            let Err(error) = self.receive(setup).await else {
                (self.delays, self.obstacle) = (DELAYS.build(), None);
                continue;
            };
            let blocked = self.blocked().await;
            self.close_reading().await;
            if let Some(error) = blocked {
                return Err(SourceError::GivenUp(error.into()));
            }
            if !error.is_passing() {
                return Err(error);
            }
            let cause = format!("{error:?}");
            if self.obstacle.as_ref() != Some(&cause) {
                self.tell(setup, &error).await?;
                self.obstacle = Some(cause);
            }
            sleep(self.delays.next().unwrap_or_default()).await;
        }
        Ok(())
    }

    /// The error if the broker cannot deliver what is to come next: it has ended the connection before at the same message, and does so
    /// again with one for that alone.
    async fn blocked(&mut self) -> Option<TopologyError> {
        let Some((connection, Reading::Amqp(_))) = &self.reading else { return None };
        if !connection.has_ended_internally().await {
            return None;
        }
        let again = self.ended_at.replace(self.next) == Some(self.next);
        let (stream, offset) = (&self.span.stream, Some(self.next));
        // Where that cannot be found out, it is tried again.
        let ends =
            again && ends_a_connection(connection, "undeliverable", stream, offset).await.unwrap_or(false);
        ends.then(|| undeliverable::error(connection, stream))
    }

    /// Takes what comes.
    async fn receive(&mut self, setup: &Setup) -> Result<(), SourceError> {
        let is_behind = |at: u64| self.next >= at.saturating_add(PREFETCH.into());
        if self.received.is_empty() && self.ended_at.is_some_and(is_behind) {
            // What was on its way when the connection ended has come: it goes on at full speed.
            self.ended_at = None;
            self.close_reading().await;
        }
        if self.reading.is_none() {
            // Then what is before such a message comes.
            let prefetch = if self.ended_at == Some(self.next) { 1 } else { PREFETCH };
            self.reading = Some(setup.open(self.start(), prefetch).await?);
        }
        let Some((connection, reading)) = &mut self.reading else { return Ok(()) };
        if self.received.is_empty() {
            let tell = |event| connection.tell(None, &event);
            reading.receive(&mut self.received, BURST.into(), tell).await?;
        }
        if let Some(last) = self.received.last() {
            connection.answer(reading.acknowledge_through(&last.position)).await?;
        }
        let filter = &setup.read.filter;
        let Self { span, received, logs, next, latest, .. } = self;
        for Delivery { position, item, .. } in received.drain(..) {
            let Some(position) = position.durable() else { continue };
            // A position is one more than the offset.
            *next = position.offset;
            let (severity, stream) = (span.severity, Arc::clone(&span.stream));
            let position = PastPosition { severity, stream, offset: position.offset.saturating_sub(1) };
            let mut timed = |mut record: Record| {
                if record.timestamp == NO_TIME {
                    record.timestamp = *latest;
                }
                *latest = record.timestamp;
                record
            };
            let log = match item {
                Item::Removed(removed) => {
                    let stream = removed.stream.to_string();
                    let (wanted, first) = (Some(removed.first), removed.last.saturating_add(1));
                    connection.tell(None, &TopologyEvent::PastRemoved { stream, wanted, first });
                    continue;
                }
                Item::Passed | Item::Marker => continue,
                Item::Foreign(how) | Item::Undeliverable(how) => Err(how),
                Item::Log(record) => Ok(timed(record)),
                Item::Logs(records) => {
                    for record in records {
                        if filter.wants(record.severity, &record.source) {
                            // Its source was found, and need not be a routing key.
                            let log = Ok(Record { unkeyed: false, ..timed(record) });
                            logs.push_back(PastLog { position: position.clone(), log });
                        }
                    }
                    continue;
                }
            };
            logs.push_back(PastLog { position, log });
        }
        Ok(())
    }

    /// Where reading goes on.
    fn start(&self) -> Start {
        let (stream, offset, end) = (Arc::clone(&self.span.stream), self.next, self.end);
        Start { stream, offset, beginning: None, found: Found::Logs, end }
    }

    /// Tells why it is read again.
    async fn tell(&mut self, setup: &Setup, error: &SourceError) -> Result<(), SourceError> {
        let connection = setup.connection.connection().await.map_err(TopologyError::from)?;
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        let cause = format!("the stream `{}` is read again: {error}{cause}", self.span.stream);
        connection.tell(None, &TopologyEvent::NotReady { cause });
        Ok(())
    }

    async fn close_reading(&mut self) {
        self.received.clear();
        if let Some((_, reading)) = self.reading.take() {
            reading.close().await;
        }
    }

    pub(super) async fn close(mut self) {
        self.close_reading().await;
    }
}

impl Setup {
    /// Begins to read a stream.
    async fn open(
        &self,
        start: Start,
        prefetch: u16,
    ) -> Result<(Arc<Connection>, Reading<Untimed>), TopologyError> {
        let connection = self.connection.connection().await?;
        let Self { read, address, way, name, .. } = self;
        let opening = async {
            let nodes = way.nodes(&connection, address.as_ref(), &[&start.stream], name).await?;
            let (starts, read) = (vec![start], read.clone());
            let Some(nodes) = nodes else {
                let opening = AmqpStreams::open(Arc::clone(&connection), starts, prefetch, read, Untimed);
                return Ok::<_, TopologyError>(Reading::Amqp(Box::new(opening.await?)));
            };
            let limit = WindowLimit { any: prefetch.into(), small: 0 };
            let opening = NativeStreams::open(nodes, starts, limit, (read, Untimed), None, |_| ());
            Ok(Reading::Native(Box::new(opening.await?)))
        };
        let reading = connection.answer(opening).await?;
        Ok((connection, reading))
    }
}
