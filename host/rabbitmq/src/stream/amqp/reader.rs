//! One stream, read by a broker's consumer.

use std::collections::VecDeque;
use std::sync::Arc;

use lapin::Channel;
use lapin::message::Delivery as Message;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Consumer};
use loghost_core::application::{Delivery, Reads, SourceError};
use loghost_core::domain::Timestamp;

use crate::connection::fault::lost;
use crate::connection::open::Connection;
use crate::consume::read::Read;
use crate::message::original::Original;
use crate::stream::begin::Start;
use crate::stream::cursor::Cursor;
use crate::stream::ends::{self, OFFSET};
use crate::stream::fingerprint;
use crate::topology::channel::{close, open_channel};
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;

/// How many offsets are between two logs that the stream is recognised by.
const RECOGNISE_EVERY: u64 = 100;

/// One stream.
pub(super) struct Reader {
    pub(super) cursor: Cursor,
    pub(super) consumer: Consumer,
    channel: Channel,
    /// Whether the next log tells what became of a stream that was found empty.
    is_emptied: bool,
    /// The offset from which on the next log is to be one that the stream is recognised by.
    recognised: u64,
    /// The offset at which reading ends, if it does.
    end: Option<u64>,
    /// What was delivered and is not acknowledged: the number of the position, and the tag.
    delivered: VecDeque<(u64, u64)>,
    /// The tags of what is of no interest, and not acknowledged: of several without anything delivered among them, the last.
    skipped: Skipped,
}

/// What is of no interest, and not acknowledged.
#[derive(Debug, Default)]
struct Skipped {
    /// Everything up to this tag.
    through: Option<u64>,
    /// These.
    single: Vec<u64>,
}

impl Reader {
    pub(super) async fn open(
        connection: &Connection,
        Start { stream, offset, is_emptied, end, .. }: Start,
        credit: u16,
        reads: Reads,
    ) -> Result<Self, TopologyError> {
        let channel = open_channel(connection).await?;
        if reads == Reads::Counts {
            connection.leave_out_bodies(&channel);
        }
        // A broker leaves out what is before the offset that it was asked for.
        let from = if is_emptied { 0 } else { offset };
        // An offset that it could not have is never reached.
        let from = AMQPValue::LongLongInt(i64::try_from(from).unwrap_or(i64::MAX));
        let consumer = ends::consume(&channel, &stream, from, credit).await?;
        let cursor = Cursor::new(stream, offset);
        let (delivered, skipped) = (VecDeque::new(), Skipped::default());
        Ok(Self { cursor, consumer, channel, is_emptied, end, recognised: 0, delivered, skipped })
    }

    /// Whether all was read that is to be.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.cursor.next() >= end)
    }

    /// The delivery that a message is to the application, if it is one.
    pub(super) fn read(
        &mut self,
        mut message: Message,
        read: &Read,
        now: Timestamp,
        told: impl FnOnce(TopologyEvent),
    ) -> Result<Option<Delivery<Original>>, SourceError> {
        let Some(offset) = ends::offset_of(&message) else {
            let text = format!(
                "the broker sent a message of the stream {} without its offset",
                self.cursor.stream()
            );
            return Err(SourceError::Cancelled(text.into()));
        };
        if std::mem::take(&mut self.is_emptied) {
            self.look_at_first(offset, told)?;
        }
        let tag = message.delivery_tag;
        name_origin(&mut message, self.cursor.stream());
        // A chunk comes whole, also if it begins before what was asked for.
        let is_known = offset < self.cursor.next();
        let is_behind = self.end.is_some_and(|end| offset >= end);
        if is_known || is_behind || !read.wants(message.routing_key.as_str()) {
            if !is_known {
                self.cursor.skip(offset);
            }
            self.skip(tag);
            return Ok(None);
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
        Ok(Some(read.delivery(message, position, now)))
    }

    /// Finds out by its first log, at `first`, what became of a stream that was found empty.
    fn look_at_first(&self, first: u64, told: impl FnOnce(TopologyEvent)) -> Result<(), SourceError> {
        let (stream, offset) = (self.cursor.stream().to_string(), self.cursor.next());
        if first < offset {
            return Err(TopologyError::StreamIsShorter { stream, offset, last: first }.into());
        }
        if first > offset {
            told(TopologyEvent::LogsRemoved { stream, offset, first });
        }
        Ok(())
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
fn name_origin(message: &mut Message, stream: &Arc<str>) {
    if message.exchange.as_str().is_empty() {
        message.exchange = ShortString::from(&**stream);
        if message.routing_key.as_str() == &**stream {
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
