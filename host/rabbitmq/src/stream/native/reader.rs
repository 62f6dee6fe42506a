//! One stream, read by a subscription: its chunks, checked, and the deliveries in them.
//!
//! A checksum covers what is in a chunk, but not its header. The next chunk begins where the last one has ended, unless chunks
//! were removed: one that begins elsewhere is asked for again, and some others are (`confirming`). It has to be the same then.
//! What was between was removed if the stream begins behind it by then.

use std::pin::pin;
use std::slice;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use loghost_core::application::{Delivery, Item, SourceError};
use loghost_core::domain::{Position, RemovedOffsets, Timestamp};
use loghost_stream::{self as stream, ChunkReader, Header, Inflater};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::confirming::{Confirming, Seen, written};
use super::silence::SilenceWatch;
use super::subscribe::{RepeatedChunk, again, last_chunk, subscribe};
use super::window::Window;
use crate::consume::found::FoundBytes;
use crate::consume::read::Read;
use crate::message::original::Original;
use crate::stream::begin::{Found, Start};
use crate::stream::cursor::Cursor;
use crate::stream::fingerprint;
use crate::stream::protocol::connection::StreamConnection;
use crate::stream::protocol::error::StreamError;
use crate::stream::protocol::subscription::Subscription;
use crate::topology::event::TopologyEvent;

/// How many chunks are under way. One of logs that are published one by one has some kilobytes.
const CREDIT: u16 = 16;

/// The same where they are large.
const CREDIT_OF_LARGE: u16 = 2;

/// From this on, in bytes, chunks are large: as soon as one has come, fewer are under way, so that there are not
/// [`CREDIT`] large ones in memory for each stream for longer than it takes to read the first.
const LARGE: usize = 1024 * 1024;

/// How many records are gone through at once, wanted or not.
const MOST_TAKEN: usize = 4096;

/// One stream.
pub(super) struct NativeReader {
    pub(super) cursor: Cursor,
    pub(super) connection: Arc<StreamConnection>,
    pub(super) window: Window,
    /// The offset that was stored last.
    pub(super) stored: Option<u64>,
    subscription: Subscription,
    credit: u16,
    /// What was found of the stream, until its first chunk has come.
    found: Found,
    /// Where the next chunk should begin.
    expected: u64,
    /// The offset at which reading ends, if it does.
    end: Option<u64>,
    confirming: Confirming,
    /// What was removed before the chunk that is read.
    removed: Option<RemovedOffsets>,
    /// Has the chunk that is read.
    chunk: ChunkReader<Bytes>,
    silence: SilenceWatch,
    state: ReaderState,
}

/// What is under way.
enum ReaderState {
    /// The next chunk is waited for.
    Waiting,
    /// One is asked for again.
    Asking(Bytes, JoinSet<Result<RepeatedChunk, SourceError>>),
    /// Another subscription begins: with the credit for large chunks, or because the broker sent nothing on the last one.
    Subscribing(BoxFuture<'static, Result<Subscription, StreamError>>),
    /// A chunk that was found right is read.
    Reading(Header, Seen),
}

impl NativeReader {
    /// Begins at `start`; the broker has the offset `stored`, if it has one.
    pub(super) async fn open(
        connection: Arc<StreamConnection>,
        start: Start,
        stored: Option<u64>,
    ) -> Result<Self, StreamError> {
        let Start { stream, offset, found, end, .. } = start;
        // The first chunk of one that was found empty tells whether it was made again.
        let from = if found == Found::NothingLeft { 0 } else { offset };
        let subscription = subscribe(&connection, &stream, from, CREDIT).await?;
        Ok(Self {
            cursor: Cursor::new(stream, offset),
            connection,
            window: Window::default(),
            stored,
            subscription,
            credit: CREDIT,
            found,
            expected: offset,
            end,
            confirming: Confirming::new(Instant::now()),
            removed: None,
            chunk: ChunkReader::new(Inflater::default()),
            silence: SilenceWatch::new(),
            state: ReaderState::Waiting,
        })
    }

    /// Is ready when there is a chunk to read. Nothing is lost if it is not polled again. Has `tell` told where the broker has
    /// stopped sending.
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        tell: &impl Fn(TopologyEvent),
    ) -> Poll<Result<(), SourceError>> {
        loop {
            if self.is_over() {
                return Poll::Pending;
            }
            match &mut self.state {
                ReaderState::Reading(..) => return Poll::Ready(Ok(())),
                ReaderState::Waiting => {
                    let Poll::Ready(delivery) = pin!(self.subscription.next()).poll(cx) else {
                        let (connection, stream) = (&self.connection, self.cursor.stream());
                        let ask = || last_chunk(Arc::clone(connection), Arc::clone(stream)).boxed();
                        if ready!(self.silence.poll(cx, self.expected, ask)) {
                            let (stream, offset) = (self.cursor.stream().to_string(), self.expected);
                            tell(TopologyEvent::StreamStalled { stream, offset });
                        }
                        self.state = self.subscribe_again();
                        continue;
                    };
                    self.silence.note();
                    self.take(delivery.map_err(SourceError::from)?.chunk)?;
                }
                ReaderState::Asking(bytes, asking) => {
                    let Some(again) = ready!(asking.poll_join_next(cx)) else {
                        return Poll::Ready(Err(self.damaged("it is not to be had again")));
                    };
                    let again = again.unwrap_or_else(|error| Err(SourceError::Lost(error.into())))?;
                    let bytes = bytes.clone();
                    let header = self.begin(bytes.clone())?;
                    // It may have been removed meanwhile.
                    let is_gone = again.first.is_some_and(|first| first > header.first_offset);
                    if again.chunk != bytes && !is_gone {
                        return Poll::Ready(Err(
                            self.damaged("it was another one when it was asked for again")
                        ));
                    }
                    // What was read before is of those that begin before what was asked for.
                    let is_new = header.next_offset() > self.cursor.next();
                    if is_new && self.found != Found::Nothing {
                        self.note_removed(&header, again.first);
                    }
                    let seen = if again.chunk == bytes { Seen::Twice } else { Seen::Once };
                    self.state =
                        if is_new { ReaderState::Reading(header, seen) } else { ReaderState::Waiting };
                }
                ReaderState::Subscribing(subscribing) => {
                    self.subscription = ready!(subscribing.poll_unpin(cx)).map_err(SourceError::from)?;
                    self.state = ReaderState::Waiting;
                }
            }
        }
    }

    /// Whether there is a chunk to read.
    pub(super) fn has_chunk(&self) -> bool {
        matches!(self.state, ReaderState::Reading(..)) && !self.is_over()
    }

    /// Whether all was read that is to be.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.cursor.next() >= end)
    }

    /// Whether so many chunks were taken whose credit was not given back that the broker might stop sending.
    pub(super) fn owes_half(&self) -> bool {
        self.subscription.taken() >= self.credit / 2
    }

    /// Lets the broker send as many chunks as were taken. If the future is dropped, nothing is given back twice.
    pub(super) async fn give_back(&mut self) -> Result<(), SourceError> {
        Ok(self.subscription.give_back(u16::MAX).await?)
    }

    /// Takes a chunk in, if it is right.
    fn take(&mut self, bytes: Bytes) -> Result<(), SourceError> {
        let header = self.begin(bytes.clone())?;
        self.state =
            if header.first_offset == self.expected && !self.confirming.is_due(&header, Instant::now()) {
                ReaderState::Reading(header, Seen::Once)
            } else {
                let (connection, stream) = (Arc::clone(&self.connection), Arc::clone(self.cursor.stream()));
                // By itself: nobody may look at it while the consumer pauses.
                let mut asking = JoinSet::new();
                asking.spawn(again(connection, stream, self.expected));
                ReaderState::Asking(bytes, asking)
            };
        Ok(())
    }

    /// Notes what was removed before a chunk, of a stream that has this offset first.
    fn note_removed(&mut self, header: &Header, first: Option<u64>) {
        let (begin, end) = (self.expected, header.first_offset.min(first.unwrap_or_default()));
        self.removed = (begin < end).then(|| RemovedOffsets {
            stream: Arc::clone(self.cursor.stream()),
            first: begin,
            last: end - 1,
            after: self.confirming.written(),
            before: written(header),
        });
    }

    fn begin(&mut self, bytes: Bytes) -> Result<Header, SourceError> {
        self.chunk.begin(bytes, 0, self.cursor.next()).map_err(|error| self.damaged(error))
    }

    /// Appends the deliveries of the chunk that is read, up to a length of `burst` of `max`, or until enough is `found`. How
    /// many records it has gone through.
    pub(super) fn read(
        &mut self,
        read: &Read,
        now: Timestamp,
        (burst, max): (&mut Vec<Delivery<Original>>, usize),
        found: &mut FoundBytes,
    ) -> usize {
        let ReaderState::Reading(header, seen) = self.state else { return 0 };
        let stream = Arc::clone(self.cursor.stream());
        let end = self.end.unwrap_or(u64::MAX);
        // That of the broker is the same for whoever reads it again.
        let received = written(&header).unwrap_or(now);
        let (cursor, window) = (&mut self.cursor, &mut self.window);
        if let Some(removed) = self.removed.take() {
            let position = deliver(cursor, window, removed.last, 0);
            burst.push(Delivery { position, item: Item::Removed(removed), original: None });
        }
        if let Some(fingerprint) = fingerprint::of_chunk(&header).filter(|_| seen == Seen::Twice) {
            cursor.recognise(Some(fingerprint));
        }
        let mut taken = 0;
        while burst.len() < max && taken < MOST_TAKEN && !found.is_enough() && cursor.next() < end {
            taken += 1;
            match self.chunk.next_item() {
                None => {
                    self.end_chunk(&header, seen);
                    break;
                }
                Some(stream::Item::Message { offset, .. }) if offset >= end => cursor.skip(offset),
                Some(stream::Item::Message { offset, bytes }) => {
                    match read.of_stream(bytes, &stream, received) {
                        None => cursor.skip(offset),
                        Some((item, original)) => {
                            let octets = if original.is_some() { bytes.len() } else { 0 };
                            let position = deliver(cursor, window, offset, octets);
                            let delivery = Delivery { position, item, original };
                            found.count(slice::from_ref(&delivery));
                            burst.push(delivery);
                        }
                    }
                }
                Some(stream::Item::Bad { first, records, error, data }) => {
                    let last = first.saturating_add(u64::from(records)).min(end).saturating_sub(1);
                    let text =
                        format!("{error}: its producer wrote {records} logs as a batch that cannot be read");
                    let original = read.stream_original(&stream, data);
                    let position = deliver(cursor, window, last, data.len());
                    burst.push(Delivery { position, item: Item::Foreign(text), original });
                }
            }
        }
        taken
    }

    /// Goes on behind a chunk.
    fn end_chunk(&mut self, header: &Header, seen: Seen) {
        let length = self.chunk.take().map_or(0, |bytes| bytes.len());
        (self.expected, self.found) = (header.next_offset(), Found::Logs);
        self.confirming.note(header, seen, Instant::now());
        self.state = ReaderState::Waiting;
        if length > LARGE && self.credit > CREDIT_OF_LARGE {
            self.credit = CREDIT_OF_LARGE;
            self.state = self.subscribe_again();
        }
    }

    /// The last offset before which all is finished, and itself, if the broker has not stored it. Before the first offset,
    /// that is the greatest number.
    pub(super) fn to_store(&self) -> Option<u64> {
        let next = self.window.first().unwrap_or_else(|| self.cursor.uncovered());
        Some(next.wrapping_sub(1)).filter(|last| self.stored != Some(*last))
    }

    /// Another subscription, from the next chunk on.
    fn subscribe_again(&self) -> ReaderState {
        let (connection, stream) = (Arc::clone(&self.connection), Arc::clone(self.cursor.stream()));
        let (from, credit) = (self.expected, self.credit);
        let subscribing = async move { subscribe(&connection, &stream, from, credit).await };
        ReaderState::Subscribing(subscribing.boxed())
    }

    fn damaged(&self, why: impl std::fmt::Display) -> SourceError {
        let (endpoint, stream, expected) = (self.connection.endpoint(), self.cursor.stream(), self.expected);
        let text = format!(
            "a chunk of the stream {stream} at offset {expected} came damaged from {endpoint}, and is read again: {why}"
        );
        SourceError::Lost(text.into())
    }
}

/// The position of what is delivered, of which so many bytes stay in memory.
fn deliver(cursor: &mut Cursor, window: &mut Window, offset: u64, octets: usize) -> Position {
    let first = cursor.uncovered();
    let position = cursor.deliver(offset);
    if let Position::Durable(position) = &position {
        window.add(first, position.offset, octets);
    }
    position
}
