//! The streams of a consumer, read through the stream protocol: each by a subscription, on a node that has a copy of it.
//!
//! It is filtered here, by the routing key, as a binding would. The broker sends chunks ahead, whatever is acknowledged: what
//! is delivered and not finished is bounded here. Without a book that outlasts the host, the broker keeps
//! how far was read.

mod confirming;
mod ends;
mod nodes;
mod reader;
mod silence;
mod storing;
mod subscribe;
mod window;

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::try_join_all;
use loghost_core::application::{Clock, Delivery, SourceError};
use loghost_core::domain::Position;

pub(crate) use self::ends::sent;
pub(crate) use self::nodes::{Nodes, Reach};
use self::reader::NativeReader;
pub(crate) use self::storing::Stores;
use self::storing::Storing;
pub(crate) use self::window::WindowLimit;
use crate::connection::fault::ConnectionEnded;
use crate::connection::gather::is_burst;
use crate::consume::found::FoundBytes;
use crate::consume::read::Read;
use crate::message::original::Original;
use crate::stream::begin::Start;
use crate::stream::cursor::{Watched, is_read_through};
use crate::stream::protocol::connection::StreamConnection;
use crate::stream::protocol::error::StreamError;
use crate::stream::protocol::offset::OffsetSpec;
use crate::stream::receiving::{Receiving, at, is_due};
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;

/// The streams of a consumer.
pub(crate) struct NativeStreams<K> {
    nodes: Nodes,
    readers: Vec<NativeReader>,
    read: Read,
    clock: K,
    limit: WindowLimit,
    /// The reader that is asked first, the next time.
    turn: usize,
    receiving: Receiving,
    /// Has the broker store how far was read, if it is to.
    storing: Option<Storing>,
}

impl<K: Clock> NativeStreams<K> {
    /// Begins to read the streams, with as many logs under way as `limit` says. The broker keeps how far was read by the name
    /// `stores`, if there is one: it has stored where reading begins, or `tell` was told that it has not.
    pub(crate) async fn open(
        nodes: Nodes,
        starts: Vec<Start>,
        limit: WindowLimit,
        (read, clock): (Read, K),
        stores: Option<Stores>,
        tell: impl Fn(TopologyEvent),
    ) -> Result<Self, TopologyError> {
        let opening = starts.into_iter().map(async |start| {
            let connection = nodes.of(&start.stream).ok_or(ConnectionEnded)?;
            let last = stores.as_ref().and_then(|stores| stores.stored.get(&*start.stream).copied());
            Ok::<_, TopologyError>(NativeReader::open(connection, start, last).await?)
        });
        let mut storing = stores.as_ref().map(|stores| Storing::new(stores.name.clone()));
        let opening = async {
            let mut readers = try_join_all(opening).await?;
            if let Some(storing) = &mut storing {
                storing.store(&mut readers).await?;
                let stream = if storing.is_looking() { storing.looked().await } else { None };
                if let Some(stream) = stream {
                    tell(unstored(&stream));
                }
            }
            Ok(readers)
        };
        let readers = match opening.await {
            Ok(readers) => readers,
            Err(error) => {
                nodes.close().await;
                return Err(error);
            }
        };
        Ok(Self { nodes, readers, read, clock, limit, turn: 0, receiving: Receiving::new(), storing })
    }

    /// Takes what is read for another filter from now on.
    pub(crate) fn read_for(&mut self, read: Read) {
        self.read = read;
    }

    /// The names of the streams, each with how far it was read.
    fn watched(&self) -> Vec<Watched> {
        self.readers
            .iter()
            .map(|reader| (Arc::clone(reader.cursor.stream()), reader.cursor.watch()))
            .collect()
    }

    /// Whether all of them was read, as far as the broker says what there is, when somebody asks that.
    pub(crate) fn are_read(&self) -> impl Future<Output = bool> + Send + use<K> {
        let connections = self.readers.iter().map(|reader| Arc::clone(&reader.connection));
        let watched: Vec<(Watched, Arc<StreamConnection>)> =
            self.watched().into_iter().zip(connections).collect();
        async move {
            let looks = watched.iter().map(async |((stream, next), connection)| {
                let last = sent(connection, stream, OffsetSpec::Last).await?;
                Ok::<_, StreamError>(match last {
                    Some(sent) => is_read_through(next, sent.last).await,
                    None => true,
                })
            });
            try_join_all(looks).await.is_ok_and(|read| read.iter().all(|read| *read))
        }
    }

    /// As [`LogSource::receive`](loghost_core::application::LogSource::receive), into a `burst` that must not be dropped.
    /// Has `tell` told once which stream's offset the broker does not store, and where the broker had stopped sending.
    pub(crate) async fn receive(
        &mut self,
        burst: &mut Vec<Delivery<Original>>,
        max: usize,
        tell: impl Fn(TopologyEvent),
    ) -> Result<(), SourceError> {
        self.receiving.go_on()?;
        // Also while logs come without an end.
        if is_due(self.storing.as_ref().map(Storing::due)) {
            self.store().await?;
        }
        for reader in &mut self.readers {
            if reader.owes_half() {
                reader.give_back().await?;
            }
        }
        loop {
            self.take(burst, max, &tell)?;
            if !burst.is_empty() {
                return Ok(());
            }
            for reader in &mut self.readers {
                reader.give_back().await?;
            }
            let has_room = self.room() > 0;
            if has_room {
                self.receiving.gather().await;
            }
            let pass_at = self.receiving.pass_at(self.readers.iter().map(|reader| &reader.cursor));
            let is_over = self.readers.iter().any(|reader| reader.is_over() && reader.cursor.skipped() > 0);
            if is_over || is_due(pass_at) {
                self.pass(burst, max);
                return Ok(());
            }
            let is_ahead = self.readers.iter().any(|reader| reader.to_store().is_some());
            let store_at = self.storing.as_ref().filter(|_| is_ahead).map(Storing::due);
            let Self { readers, turn, storing, .. } = self;
            tokio::select! {
                biased;
                ready = poll_fn(|cx| poll_chunk(readers, *turn + 1, cx, &tell)), if has_room => *turn = ready?,
                () = at(store_at) => self.store().await?,
                () = at(pass_at) => {
                    self.pass(burst, max);
                    return Ok(());
                }
                stream = looked(storing.as_mut()) => stream.iter().for_each(|stream| tell(unstored(stream))),
            }
        }
    }

    /// How many more logs may be delivered.
    fn room(&self) -> usize {
        let open: usize = self.readers.iter().map(|reader| reader.window.len()).sum();
        self.window().saturating_sub(open)
    }

    /// How many logs may be delivered and not finished, at the moment.
    pub(crate) fn window(&self) -> usize {
        self.limit.at(self.readers.iter().map(|reader| reader.window.octets()).sum())
    }

    /// Takes what there is of the chunks that have come.
    fn take(
        &mut self,
        burst: &mut Vec<Delivery<Original>>,
        max: usize,
        tell: &impl Fn(TopologyEvent),
    ) -> Result<(), SourceError> {
        let max = max.min(self.room());
        if max == 0 {
            return Ok(());
        }
        let (now, readers) = (self.clock.now(), self.readers.len());
        let (mut taken, mut found, mut ended) = (0, FoundBytes::default(), None);
        for n in 0..readers {
            let index = (self.turn + n) % readers;
            let reader = &mut self.readers[index];
            while reader.has_chunk() && burst.len() < max && taken < MOST_TAKEN && !found.is_enough() {
                taken += reader.read(&self.read, now, (burst, max), &mut found);
                if reader.has_chunk() {
                    continue;
                }
                // What else has come.
                let next = poll_fn(|cx| reader.poll_chunk(cx, tell)).now_or_never();
                if let Some(Err(error)) = next {
                    ended = Some(error);
                    break;
                }
            }
            if burst.len() >= max || found.is_enough() || ended.is_some() {
                self.turn = (index + 1) % readers;
                break;
            }
        }
        // The broker may have stopped sending until it has more credit: a pause would bring nothing.
        let is_behind = self.readers.iter().any(NativeReader::owes_half);
        self.receiving.took(burst, !is_behind && is_burst(burst.len(), max), ended)
    }

    /// Notes what was skipped.
    fn pass(&mut self, burst: &mut Vec<Delivery<Original>>, max: usize) {
        let cursors = self.readers.iter_mut().map(|reader| &mut reader.cursor);
        self.receiving.pass(cursors, burst, max);
    }

    /// Has the broker store how far was read, if it is to.
    async fn store(&mut self) -> Result<(), StreamError> {
        match &mut self.storing {
            Some(storing) => storing.store(&mut self.readers).await,
            None => Ok(()),
        }
    }

    /// Notes that all that was delivered in a stream up to this position is finished.
    pub(crate) fn acknowledge_through(&mut self, position: &Position) {
        if let Some((reader, number)) = self.reader_of(position) {
            reader.window.finish_through(number);
        }
    }

    /// Notes that one log is finished.
    pub(crate) fn acknowledge(&mut self, position: &Position) {
        if let Some((reader, number)) = self.reader_of(position) {
            reader.window.finish(number);
        }
    }

    fn reader_of(&mut self, position: &Position) -> Option<(&mut NativeReader, u64)> {
        let position = position.durable()?;
        let reader =
            self.readers.iter_mut().find(|reader| *reader.cursor.stream() == position.stream.name)?;
        Some((reader, position.offset))
    }

    /// Ends reading. What was not finished is read again by whoever goes on there.
    pub(crate) async fn close(mut self) {
        // If it cannot be stored, more is read again.
        let _ = self.store().await;
        self.nodes.close().await;
    }
}

/// How many records are gone through at once, wanted or not.
const MOST_TAKEN: usize = 4096;

/// Is ready with the index of a reader that has a chunk; that at `first` is asked first.
fn poll_chunk(
    readers: &mut [NativeReader],
    first: usize,
    cx: &mut Context<'_>,
    tell: &impl Fn(TopologyEvent),
) -> Poll<Result<usize, SourceError>> {
    let count = readers.len();
    for n in 0..count {
        let index = (first + n) % count;
        if let Poll::Ready(ready) = readers[index].poll_chunk(cx, tell) {
            return Poll::Ready(ready.map(|()| index));
        }
    }
    Poll::Pending
}

/// As [`Storing::looked`]; never, if nothing is stored.
async fn looked(storing: Option<&mut Storing>) -> Option<Arc<str>> {
    match storing {
        Some(storing) => storing.looked().await,
        None => pending().await,
    }
}

fn unstored(stream: &str) -> TopologyEvent {
    TopologyEvent::OffsetNotStored { stream: stream.to_owned() }
}
