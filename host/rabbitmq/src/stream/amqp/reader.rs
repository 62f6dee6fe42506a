//! One stream, read by a broker's consumer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::StreamExt;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Consumer};
use loghost_core::application::{Delivery as Delivered, Item, Reads, SourceError};
use loghost_core::domain::{RemovedOffsets, Timestamp};
use tokio::task::JoinSet;

use super::left_out::LeftOut;
use crate::connection::fault::lost;
use crate::connection::open::Connection;
use crate::consume::read::Read;
use crate::message::original::Original;
use crate::stream::begin::{Found, Start};
use crate::stream::cursor::Cursor;
use crate::stream::ends::{self, OFFSET};
use crate::stream::fingerprint;
use crate::topology::channel::{close, open_channel};
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;

/// How many offsets between two messages are none of logs: the broker's own chunk, at the beginning of each segment, takes one.
const NOT_A_LOG: u64 = 1;

/// How many offsets are between two logs that the stream is recognised by.
const RECOGNISE_EVERY: u64 = 100;

/// A look at the first offset of a stream, if it has one.
type Looking = JoinSet<Result<Option<u64>, TopologyError>>;

/// One stream.
pub(super) struct AmqpReader {
    pub(super) cursor: Cursor,
    consumer: Consumer,
    connection: Arc<Connection>,
    channel: Channel,
    /// A message behind a gap, while it is looked where the stream begins: what is in the gap may have been removed.
    unrecognised: Option<(OffsetDelivery, Looking)>,
    /// What was removed before the next message.
    removed: Option<RemovedOffsets>,
    /// What did not come.
    left_out: LeftOut,
    /// What was found of the stream, until its first log has come.
    found: Found,
    /// The offset from which on the next log is to be one that the stream is recognised by.
    recognised: u64,
    /// The offset at which reading ends, if it does.
    end: Option<u64>,
    /// What was delivered and is not acknowledged: the number of the position, and the tag.
    delivered: VecDeque<(u64, u64)>,
    /// The tags of what is of no interest, and not acknowledged: of several without anything delivered among them, the last.
    skipped: Skipped,
}

/// A message of a stream.
pub(super) struct OffsetDelivery {
    delivery: Delivery,
    offset: u64,
}

/// What is of no interest, and not acknowledged.
#[derive(Debug, Default)]
struct Skipped {
    /// Everything up to this tag.
    through: Option<u64>,
    /// These.
    single: Vec<u64>,
}

impl AmqpReader {
    pub(super) async fn open(
        connection: &Arc<Connection>,
        Start { stream, offset, found, end, .. }: Start,
        credit: u16,
        read: &Read,
    ) -> Result<Self, TopologyError> {
        let channel = open_channel(connection).await?;
        if read.leaves_out_bodies(&stream) {
            connection.leave_out_bodies(&channel);
        }
        // A broker leaves out what is before the offset that it was asked for.
        let from = if found == Found::NothingLeft { 0 } else { offset };
        // An offset that it could not have is never reached.
        let from = AMQPValue::LongLongInt(i64::try_from(from).unwrap_or(i64::MAX));
        let consumer = ends::consume(&channel, &stream, from, credit).await?;
        let cursor = Cursor::new(stream, offset);
        let (delivered, skipped) = (VecDeque::new(), Skipped::default());
        let connection = Arc::clone(connection);
        let (unrecognised, removed, recognised) = (None, None, 0);
        Ok(Self {
            cursor,
            consumer,
            connection,
            channel,
            unrecognised,
            removed,
            left_out: LeftOut::default(),
            found,
            end,
            recognised,
            delivered,
            skipped,
        })
    }

    /// Whether all was read that is to be.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.cursor.next() >= end)
    }

    /// Is ready with the next message, when it is known what was removed before it. Nothing is lost if it is not polled again.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<OffsetDelivery, SourceError>> {
        loop {
            if let Some((_, looking)) = &mut self.unrecognised {
                let first = match ready!(looking.poll_join_next(cx)) {
                    Some(Ok(first)) => first?,
                    Some(Err(error)) => return Poll::Ready(Err(SourceError::Lost(error.into()))),
                    None => None,
                };
                let Some((unrecognised, _)) = self.unrecognised.take() else { continue };
                self.note_removed(unrecognised.offset, first);
                return Poll::Ready(Ok(unrecognised));
            }
            let message = match ready!(self.consumer.poll_next_unpin(cx)) {
                Some(message) => message.map_err(|error| lost(&error))?,
                None => return Poll::Ready(Err(self.end())),
            };
            let (message, found) = self.with_position(message)?;
            if found == Found::Nothing {
                return Poll::Ready(Ok(message));
            }
            if message.offset <= self.cursor.next().saturating_add(NOT_A_LOG) {
                self.note_left_out(message.offset);
                return Poll::Ready(Ok(message));
            }
            let (connection, stream) = (Arc::clone(&self.connection), Arc::clone(self.cursor.stream()));
            // By itself: nobody may look at it while the consumer pauses.
            let mut looking = JoinSet::new();
            looking.spawn(async move { connection.answer(ends::first(&connection, &stream)).await });
            self.unrecognised = Some((message, looking));
        }
    }

    /// A message, with its offset; and what was found of the stream before it.
    fn with_position(&mut self, message: Delivery) -> Result<(OffsetDelivery, Found), SourceError> {
        let stream = self.cursor.stream();
        let Some(offset) = ends::offset_of(&message) else {
            let text = format!("the broker sent a message of the stream {stream} without its offset");
            return Err(SourceError::Cancelled(text.into()));
        };
        let next = self.cursor.next();
        let found = std::mem::replace(&mut self.found, Found::Logs);
        if found == Found::NothingLeft && offset < next {
            let stream = stream.to_string();
            return Err(TopologyError::StreamIsShorter { stream, offset: next, last: offset }.into());
        }
        Ok((OffsetDelivery { delivery: message, offset }, found))
    }

    /// Notes what was removed before the message at `next`, of a stream that has `first` as its first.
    fn note_removed(&mut self, next: u64, first: Option<u64>) {
        let begin = self.cursor.next();
        if first.is_some_and(|first| first >= next) {
            let stream = Arc::clone(self.cursor.stream());
            let removed = RemovedOffsets { stream, first: begin, last: next - 1, after: None, before: None };
            self.removed = Some(removed);
        } else {
            self.note_left_out(next);
        }
    }

    /// Notes what did not come before the message at `next`, though it was not removed.
    fn note_left_out(&mut self, next: u64) {
        let first = self.cursor.next();
        if let Some(offsets) = self.left_out.note(next.saturating_sub(first)) {
            let stream = self.cursor.stream().to_string();
            let event =
                TopologyEvent::OffsetsLeftOut { stream, first, last: next.saturating_sub(1), offsets };
            self.connection.tell(None, &event);
        }
    }

    /// Appends what a message is to the application, if it is something, and what was removed before it.
    pub(super) fn read(
        &mut self,
        OffsetDelivery { delivery: mut message, offset }: OffsetDelivery,
        read: &Read,
        now: Timestamp,
        burst: &mut Vec<Delivered<Original>>,
    ) {
        if let Some(removed) = self.removed.take() {
            let position = self.cursor.deliver(removed.last);
            burst.push(Delivered { position, item: Item::Removed(removed), original: None });
        }
        let tag = message.delivery_tag;
        let stream = self.cursor.stream();
        name_origin(&mut message, stream, read.names.bound_exchange(stream).unwrap_or(stream));
        // A chunk comes whole, also if it begins before what was asked for.
        let is_known = offset < self.cursor.next();
        let is_behind = self.end.is_some_and(|end| offset >= end);
        if is_known
            || is_behind
            || !read.takes(stream, message.exchange.as_str(), message.routing_key.as_str())
        {
            if !is_known {
                self.cursor.skip(offset);
            }
            return self.skip(tag);
        }
        if offset >= self.recognised {
            self.cursor.recognise(fingerprint::of_message(offset, &message));
            self.recognised = offset.saturating_add(RECOGNISE_EVERY);
        }
        let position = self.cursor.deliver(offset);
        self.delivered.push_back((self.cursor.next(), tag));
        if read.reads == Reads::Logs {
            message.properties = without_offset(std::mem::take(&mut message.properties));
        }
        burst.push(read.delivery(message, position, now));
    }

    /// Notes that a message need not be finished.
    fn skip(&mut self, tag: u64) {
        if self.delivered.is_empty() {
            self.skipped = Skipped { through: Some(tag), single: Vec::new() };
        } else {
            self.skipped.single.push(tag);
        }
    }

    /// Acknowledges what is of no interest. If the future is dropped, nothing is acknowledged twice.
    pub(super) async fn acknowledge_skipped(&mut self) -> Result<(), SourceError> {
        if let Some(tag) = self.skipped.through.take() {
            self.ack(tag, true).await?;
        }
        while let Some(tag) = self.skipped.single.pop() {
            self.ack(tag, false).await?;
        }
        Ok(())
    }

    pub(super) async fn acknowledge_through(&mut self, position: u64) -> Result<(), SourceError> {
        let mut last = None;
        while let Some((_, tag)) = self.delivered.pop_front_if(|(number, _)| *number <= position) {
            last = Some(tag);
        }
        let Some(last) = last else { return Ok(()) };
        // They are covered.
        self.skipped.through.take_if(|tag| *tag < last);
        self.skipped.single.retain(|tag| *tag > last);
        self.ack(last, true).await
    }

    pub(super) async fn acknowledge(&mut self, position: u64) -> Result<(), SourceError> {
        let Ok(index) = self.delivered.binary_search_by_key(&position, |(number, _)| *number) else {
            return Ok(());
        };
        match self.delivered.remove(index) {
            Some((_, tag)) => self.ack(tag, false).await,
            None => Ok(()),
        }
    }

    async fn ack(&self, tag: u64, multiple: bool) -> Result<(), SourceError> {
        self.channel.basic_ack(tag, BasicAckOptions { multiple }).await.map_err(|e| lost(&e))
    }

    /// Why nothing more comes.
    pub(super) fn end(&self) -> SourceError {
        if !self.channel.status().connected() {
            return SourceError::Lost("the channel is closed".into());
        }
        let stream = self.cursor.stream();
        let text = format!("the broker cancelled the consumer of the stream {stream}: was it deleted?");
        SourceError::Cancelled(text.into())
    }

    pub(super) async fn close(&self) {
        close(&self.channel).await;
    }
}

/// Names the exchange of a message that was published to the stream itself, as by the stream protocol. Such a message has
/// no routing key: the broker gives the name of the stream.
fn name_origin(message: &mut Delivery, stream: &str, exchange: &str) {
    if message.exchange.as_str().is_empty() {
        message.exchange = ShortString::from(exchange);
        if message.routing_key.as_str() == stream {
            message.routing_key = ShortString::default();
        }
    }
}

/// The properties as they were published.
fn without_offset(properties: BasicProperties) -> BasicProperties {
    let Some(headers) = properties.headers() else { return properties };
    let mut rest = headers.inner().clone();
    rest.remove(OFFSET);
    properties.with_headers(FieldTable::from(rest))
}
