//! The streams of a consumer, read through AMQP 0-9-1: each by a broker's consumer on a channel of its own.
//!
//! It is filtered here, by the routing key, as a binding would. What is not wanted is acknowledged at once, for credit alone:
//! a broker keeps no position of such a consumer. What is delivered is acknowledged when it is finished, so that there is
//! never more of it than the prefetch. Nothing is ever returned: `RabbitMQ` 3 ends the connection then.

mod left_out;
mod reader;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{join_all, try_join_all};
use loghost_core::application::{Clock, Delivery, SourceError};
use loghost_core::domain::Position;
use tokio::time::sleep;

use self::reader::{AmqpReader, OffsetDelivery};
use crate::connection::gather::is_burst;
use crate::connection::open::Connection;
use crate::consume::found::FoundBytes;
use crate::consume::read::Read;
use crate::message::original::Original;
use crate::stream::begin::Start;
use crate::stream::cursor::{Watched, is_read_through};
use crate::stream::ends;
use crate::stream::receiving::{Receiving, at, is_due};
use crate::topology::error::TopologyError;

/// The streams of a consumer.
pub(crate) struct AmqpStreams<K> {
    readers: Vec<AmqpReader>,
    read: Read,
    clock: K,
    /// The reader that is asked first, the next time.
    turn: usize,
    receiving: Receiving,
}

impl<K: Clock> AmqpStreams<K> {
    /// Begins to read the streams, with so many logs unacknowledged at most in each.
    pub(crate) async fn open(
        connection: Arc<Connection>,
        starts: Vec<Start>,
        credit: u16,
        read: Read,
        clock: K,
    ) -> Result<Self, TopologyError> {
        let opening = starts.into_iter().map(|start| AmqpReader::open(&connection, start, credit, &read));
        let (mut readers, mut failure) = (Vec::new(), None);
        for opened in join_all(opening).await {
            match opened {
                Ok(reader) => readers.push(reader),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            join_all(readers.iter().map(AmqpReader::close)).await;
            return Err(error);
        }
        Ok(Self { readers, read, clock, turn: 0, receiving: Receiving::new() })
    }

    /// Takes what is read for another filter from now on.
    pub(crate) fn read_for(&mut self, read: Read) {
        self.read = read;
    }

    /// The names of the streams, each with how far it was read.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        self.readers
            .iter()
            .map(|reader| (Arc::clone(reader.cursor.stream()), reader.cursor.watch()))
            .collect()
    }

    /// As [`LogSource::receive`](loghost_core::application::LogSource::receive), into a `burst` that must not be dropped.
    pub(crate) async fn receive(
        &mut self,
        burst: &mut Vec<Delivery<Original>>,
        max: usize,
    ) -> Result<(), SourceError> {
        self.receiving.go_on()?;
        loop {
            for reader in &mut self.readers {
                reader.acknowledge_skipped().await?;
            }
            let pass_at = self.receiving.pass_at(self.readers.iter().map(|reader| &reader.cursor));
            let is_over = self.readers.iter().any(|reader| reader.is_over() && reader.cursor.skipped() > 0);
            if is_over || is_due(pass_at) {
                self.pass(burst, max);
                return Ok(());
            }
            self.receiving.gather().await;
            tokio::select! {
                biased;
                (index, next) = poll_fn(|cx| self.poll_next(cx)) => self.take(index, next, burst, max)?,
                () = at(pass_at) => self.pass(burst, max),
            }
            if !burst.is_empty() {
                return Ok(());
            }
        }
    }

    /// What comes next, from any of them in turn.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(usize, Result<OffsetDelivery, SourceError>)> {
        let readers = self.readers.len();
        for n in 0..readers {
            let index = (self.turn + n) % readers;
            if self.readers[index].is_over() {
                continue;
            }
            if let Poll::Ready(next) = self.readers[index].poll_next(cx) {
                self.turn = index + 1;
                return Poll::Ready((index, next));
            }
        }
        Poll::Pending
    }

    /// Takes what has come of one of them, and what else has arrived there.
    fn take(
        &mut self,
        index: usize,
        mut next: Result<OffsetDelivery, SourceError>,
        burst: &mut Vec<Delivery<Original>>,
        max: usize,
    ) -> Result<(), SourceError> {
        let (now, mut taken, mut found) = (self.clock.now(), 0, FoundBytes::default());
        let Self { readers, read, .. } = self;
        let reader = &mut readers[index];
        let ended = loop {
            let before = burst.len();
            match next {
                Ok(message) => reader.read(message, read, now, burst),
                Err(error) => break Some(error),
            }
            found.count(&burst[before..]);
            taken += 1;
            if burst.len() >= max || taken >= MOST_TAKEN || found.is_enough() || reader.is_over() {
                break None;
            }
            match poll_fn(|cx| reader.poll_next(cx)).now_or_never() {
                Some(more) => next = more,
                None => break None,
            }
        };
        self.receiving.took(burst, is_burst(taken, max.min(MOST_TAKEN)), ended)
    }

    /// Notes what was skipped.
    fn pass(&mut self, burst: &mut Vec<Delivery<Original>>, max: usize) {
        let cursors = self.readers.iter_mut().map(|reader| &mut reader.cursor);
        self.receiving.pass(cursors, burst, max);
    }

    /// Acknowledges all that was delivered in a stream up to this position.
    pub(crate) async fn acknowledge_through(&mut self, position: &Position) -> Result<(), SourceError> {
        match self.reader_of(position) {
            Some((reader, offset)) => reader.acknowledge_through(offset).await,
            None => Ok(()),
        }
    }

    /// Acknowledges one log.
    pub(crate) async fn acknowledge(&mut self, position: &Position) -> Result<(), SourceError> {
        match self.reader_of(position) {
            Some((reader, offset)) => reader.acknowledge(offset).await,
            None => Ok(()),
        }
    }

    fn reader_of(&mut self, position: &Position) -> Option<(&mut AmqpReader, u64)> {
        let position = position.durable()?;
        let reader =
            self.readers.iter_mut().find(|reader| *reader.cursor.stream() == position.stream.name)?;
        Some((reader, position.offset))
    }

    /// Ends reading. What was not finished is read again by whoever goes on there.
    pub(crate) async fn close(self) {
        join_all(self.readers.iter().map(AmqpReader::close)).await;
    }
}

/// How many messages are taken of one stream at once, wanted or not.
const MOST_TAKEN: usize = 1024;

/// Whether all of these streams was read, as far as the broker says what there is.
pub(crate) async fn are_read(connection: Arc<Connection>, watched: Vec<Watched>) -> bool {
    let looks = watched.iter().map(async |(stream, next)| {
        let mut end = ends::end(&connection, stream).await?;
        if end.is_none() && next.load(Ordering::Relaxed) > 0 {
            // There was something: that there is nothing may have been told from before.
            sleep(ends::COUNTED_WITHIN).await;
            end = ends::end(&connection, stream).await?;
        }
        Ok::<_, TopologyError>(match end {
            Some(end) => is_read_through(next, end.sent.last).await,
            None => true,
        })
    });
    connection.answer(try_join_all(looks)).await.is_ok_and(|read| read.iter().all(|read| *read))
}
