//! Where a consumer begins to read its streams: at the offset that its book has, or at that which its options mean when it
//! is first looked at.
//!
//! What they mean is found out once, also by a host that stands by, so that nothing that is published later is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::types::AMQPValue;
use loghost_core::application::NextOffset;
use loghost_core::domain::ConsumerName;
use tokio::time::sleep;

use crate::connection::open::Connection;
use crate::stream::cursor;
use crate::stream::ends::{self, Sent, named};
use crate::stream::native::{self, Nodes};
use crate::stream::options::Begin;
use crate::stream::protocol::connection::StreamConnection;
use crate::stream::protocol::offset::OffsetSpec;
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;

/// How often the end of a stream is looked at that seems to be shorter than before: a replica may have less than another
/// for a moment.
const LOOKS: u32 = 6;

/// The time between two looks.
const BETWEEN: Duration = Duration::from_secs(1);

/// What is known of where the streams of a consumer begin, for as long as its host runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begins(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Where the streams begin that are in no book yet.
    offsets: BTreeMap<String, u64>,
    /// The offsets up to which it was told that logs were removed.
    removed: BTreeSet<(String, u64)>,
}

/// Where reading begins in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) stream: Arc<str>,
    /// The first offset.
    pub(crate) offset: u64,
    /// Whether that is not in the book.
    pub(crate) is_new: bool,
    /// Whether the stream is empty, though something of it was read: retention has removed all of it, or it was made again.
    /// Its next log tells.
    pub(crate) is_emptied: bool,
}

/// Finds where reading begins in each of `streams`, and tells what was removed before `consumer` has read it.
///
/// # Errors
///
/// If a stream has less than was read of it, or the broker does not tell.
pub(crate) async fn starts(
    (connection, nodes): (&Arc<Connection>, Option<&Nodes>),
    consumer: &ConsumerName,
    streams: &[String],
    offsets: &[NextOffset],
    (begin, begins): (Begin, &Begins),
) -> Result<Vec<Start>, TopologyError> {
    let starts = streams.iter().map(async |stream| {
        let ends = match nodes.and_then(|nodes| nodes.of(stream)) {
            Some(connection) => Ends::Native(connection),
            None => Ends::Amqp(Arc::clone(connection)),
        };
        let known = offsets.iter().find(|next| *next.stream == **stream);
        let noted = begins.known().offsets.get(stream).copied();
        let (noted, is_new) = match (known, noted) {
            // That it begins there was lost before it was in the book.
            (Some(next), Some(noted)) if next.offset <= noted => (Some(noted), true),
            (Some(next), _) => (Some(cursor::offset_of(next)), next.offset == 0),
            (None, noted) => (noted, true),
        };
        let mut is_emptied = false;
        let offset = if let Some(offset) = noted {
            let contents = check((connection, &ends), consumer, stream, offset, begins).await?;
            is_emptied = contents == Contents::None;
            offset
        } else {
            let offset = resolve(&ends, stream, begin).await?;
            begins.known().offsets.insert(stream.clone(), offset);
            offset
        };
        Ok(Start { stream: Arc::from(stream.as_str()), offset, is_new, is_emptied })
    });
    try_join_all(starts).await
}

impl Begins {
    /// Has reading of a stream begin at this offset, as long as no book has another.
    pub(crate) fn begin_at(&self, stream: &str, offset: u64) {
        self.known().offsets.insert(stream.to_owned(), offset);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is asked for the ends of a stream.
enum Ends {
    /// A broker, through AMQP 0-9-1.
    Amqp(Arc<Connection>),
    /// A node that has the stream.
    Native(Arc<StreamConnection>),
}

impl Ends {
    /// The first offset of a stream; none of an empty one.
    async fn first(&self, stream: &str) -> Result<Option<u64>, TopologyError> {
        match self {
            Self::Amqp(connection) => ends::first(connection, stream).await,
            Self::Native(connection) => {
                Ok(native::sent(connection, stream, OffsetSpec::First).await?.map(|sent| sent.first))
            }
        }
    }

    /// The last offset of a stream; none of an empty one.
    async fn last(&self, stream: &str) -> Result<Option<u64>, TopologyError> {
        match self {
            Self::Amqp(connection) => ends::last(connection, stream).await,
            Self::Native(_) => Ok(self.last_chunk(stream).await?.map(|sent| sent.last)),
        }
    }

    /// What is sent first of the last chunk; none of an empty stream.
    async fn last_chunk(&self, stream: &str) -> Result<Option<Sent>, TopologyError> {
        match self {
            Self::Amqp(connection) => ends::sent(connection, stream, named("last"), 1).await,
            Self::Native(connection) => Ok(native::sent(connection, stream, OffsetSpec::Last).await?),
        }
    }

    /// What is sent first from a time on, in milliseconds since 1970; none if there is nothing.
    async fn at_time(&self, stream: &str, millis: u64) -> Result<Option<Sent>, TopologyError> {
        match self {
            Self::Amqp(connection) => {
                ends::sent(connection, stream, AMQPValue::Timestamp(millis / 1000), 1).await
            }
            Self::Native(connection) => {
                let from = OffsetSpec::Timestamp(i64::try_from(millis).unwrap_or(i64::MAX));
                Ok(native::sent(connection, stream, from).await?)
            }
        }
    }
}

/// The offset that `begin` means now.
async fn resolve(ends: &Ends, stream: &str, begin: Begin) -> Result<u64, TopologyError> {
    let end = async || Ok(ends.last(stream).await?.map_or(0, |last| last.saturating_add(1)));
    match begin {
        Begin::First => Ok(0),
        // Of a stream that is shorter, it is the end.
        Begin::Offset(offset) => Ok(offset.min(end().await?)),
        Begin::Next => end().await,
        Begin::Last => {
            let sent = ends.last_chunk(stream).await?;
            Ok(sent.map_or(0, |Sent { first, .. }| first))
        }
        Begin::Time(millis) => {
            // What is published from here on is newer, or was to be had at that time.
            let end = end().await?;
            let sent = ends.at_time(stream, millis).await?;
            Ok(sent.map_or(end, |Sent { first, .. }| first))
        }
    }
}

/// Whether a stream has anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    None,
    Some,
}

/// Makes sure that a stream has what was read of it, up to `offset`, and tells if something behind that was removed.
async fn check(
    (connection, ends): (&Connection, &Ends),
    consumer: &ConsumerName,
    stream: &str,
    offset: u64,
    begins: &Begins,
) -> Result<Contents, TopologyError> {
    if offset == 0 {
        return Ok(Contents::Some);
    }
    let mut looks = 1;
    loop {
        let Some(last) = ends.last(stream).await? else { return Ok(Contents::None) };
        if last.saturating_add(1) >= offset {
            break;
        }
        if looks == LOOKS {
            return Err(TopologyError::StreamIsShorter { stream: stream.to_owned(), offset, last });
        }
        looks += 1;
        sleep(BETWEEN).await;
    }
    if let Some(first) = ends.first(stream).await?
        && first > offset
        && begins.known().removed.insert((stream.to_owned(), first))
    {
        let event = TopologyEvent::LogsRemoved { stream: stream.to_owned(), offset, first };
        connection.tell(Some(consumer), &event);
    }
    Ok(Contents::Some)
}
