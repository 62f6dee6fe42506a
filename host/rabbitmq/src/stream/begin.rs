//! Where a consumer begins to read its streams: at the offset that its book has, or at that which its options mean when it
//! is first looked at.
//!
//! What they mean is found out once, also by a host that stands by, so that nothing that is published later is left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::types::AMQPValue;
use loghost_core::application::NextOffset;
use loghost_core::domain::{Fingerprint, StreamPosition};
use tokio::time::sleep;

use crate::connection::open::Connection;
use crate::stream::cursor;
use crate::stream::ends::{self, Certainty, Sent, StreamEnd};
use crate::stream::fingerprint;
use crate::stream::native::{self, Nodes};
use crate::stream::options::Begin;
use crate::stream::protocol::connection::StreamConnection;
use crate::stream::protocol::offset::OffsetSpec;
use crate::topology::error::TopologyError;

/// How often the end of a stream is looked at that seems to be shorter than before: a replica may have less than another
/// for a moment.
const LOOKS: u32 = 6;

/// The time between two looks.
const BETWEEN: Duration = Duration::from_secs(1);

/// What is known of where the streams of a consumer begin, for as long as its host runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begins(Arc<Mutex<KnownStarts>>);

#[derive(Debug, Default)]
struct KnownStarts {
    /// Where the streams begin that are in no book yet.
    starts: BTreeMap<String, StreamStart>,
    /// Whether no stream is looked at, where it was read before, to make sure that it is the same.
    unchecked: bool,
}

/// Where a stream is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamStart {
    /// The first offset that is to be read.
    pub(crate) offset: u64,
    /// What the stream is recognised by, if that is known.
    fingerprint: Option<Fingerprint>,
    found: Found,
}

/// What was found of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// What there is goes on from what was read of it.
    Logs,
    /// Nothing, and nothing was read of it: its first log may have any offset, as retention may have removed others before.
    Nothing,
    /// Nothing, though something was read of it: retention has removed all of it, or it was made again. Its next log tells.
    NothingLeft,
}

/// Where reading begins in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) stream: Arc<str>,
    /// The first offset.
    pub(crate) offset: u64,
    /// The same as a position, if that is not in the book.
    pub(crate) beginning: Option<StreamPosition>,
    pub(crate) found: Found,
    /// The offset at which reading ends, if it does.
    pub(crate) end: Option<u64>,
}

/// Finds where reading begins in each of `streams`.
///
/// # Errors
///
/// If a stream has less than was read of it, or the broker does not tell.
pub(crate) async fn starts(
    (connection, nodes): (&Arc<Connection>, Option<&Nodes>),
    streams: &[String],
    offsets: &[NextOffset],
    (begin, begins): (Begin, &Begins),
) -> Result<Vec<Start>, TopologyError> {
    let starts = streams.iter().map(async |stream| {
        let ends = Ends::of(stream, connection, nodes);
        let known = offsets.iter().find(|next| *next.stream == **stream);
        let noted = begins.known().starts.get(stream).copied();
        let (noted, is_new) = match (known, noted) {
            // Another host has read on, and the broker has stored how far.
            (Some(next), Some(noted)) if next.of_log() < noted.offset => (Some(noted), true),
            (Some(next), noted) => {
                let (offset, fingerprint) = (next.of_log(), next.fingerprint);
                let found =
                    noted.filter(|noted| noted.offset == offset).map_or(Found::Logs, |noted| noted.found);
                (Some(StreamStart { offset, fingerprint, found }), false)
            }
            (None, noted) => (noted, true),
        };
        let start = if let Some(start) = noted {
            let is_checked = nodes.is_some() || !begins.known().unchecked;
            let found = if is_checked { check(&ends, stream, start).await? } else { start.found };
            StreamStart { found, ..start }
        } else {
            let start = resolve(&ends, stream, begin).await?;
            begins.known().starts.insert(stream.clone(), start);
            start
        };
        let (stream, StreamStart { offset, fingerprint, found }) = (Arc::from(stream.as_str()), start);
        let beginning = is_new.then(|| cursor::beginning(Arc::clone(&stream), offset, fingerprint));
        Ok(Start { stream, offset, beginning, found, end: None })
    });
    try_join_all(starts).await
}

impl Begins {
    /// Has reading of a stream begin at this offset, as long as no book has another.
    pub(crate) fn begin_at(&self, stream: &str, offset: u64) {
        let start = StreamStart { offset, fingerprint: None, found: Found::Logs };
        self.known().starts.insert(stream.to_owned(), start);
    }

    /// Where it begins, if that is in no book yet.
    pub(crate) fn offset(&self, stream: &str) -> Option<u64> {
        self.known().starts.get(stream).map(|start| start.offset)
    }

    /// Whether it is looked at, through AMQP 0-9-1, whether a stream is the one that was read: not while what is at its end may be
    /// what ends the connection.
    pub(crate) fn check_streams(&self, are_checked: bool) {
        self.known().unchecked = !are_checked;
    }

    fn known(&self) -> MutexGuard<'_, KnownStarts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is asked for the ends of a stream.
pub(crate) enum Ends {
    /// A broker, through AMQP 0-9-1.
    Amqp(Arc<Connection>),
    /// A node that has the stream.
    Native(Arc<StreamConnection>),
}

impl Ends {
    /// Who is asked for those of `stream`: a node of those that have it, or a broker, if streams are read through AMQP 0-9-1.
    pub(crate) fn of(stream: &str, connection: &Arc<Connection>, nodes: Option<&Nodes>) -> Self {
        match nodes.and_then(|nodes| nodes.of(stream)) {
            Some(connection) => Self::Native(connection),
            None => Self::Amqp(Arc::clone(connection)),
        }
    }

    /// The first offset of a stream; none of an empty one.
    pub(crate) async fn first(&self, stream: &str) -> Result<Option<u64>, TopologyError> {
        match self {
            Self::Amqp(connection) => ends::first(connection, stream).await,
            Self::Native(connection) => {
                Ok(native::sent(connection, stream, OffsetSpec::First).await?.map(|sent| sent.first))
            }
        }
    }

    /// The last chunk of a stream; none of an empty one.
    pub(crate) async fn end(&self, stream: &str) -> Result<Option<StreamEnd>, TopologyError> {
        match self {
            Self::Amqp(connection) => ends::end(connection, stream).await,
            Self::Native(connection) => {
                let sent = native::sent(connection, stream, OffsetSpec::Last).await?;
                Ok(sent.map(|sent| StreamEnd { sent, certainty: Certainty::All }))
            }
        }
    }

    /// Whether a stream that has this offset is recognised, as far as can be told.
    async fn recognises(&self, stream: &str, known: Fingerprint) -> Result<bool, TopologyError> {
        let sent = match self {
            Self::Amqp(connection) if known.kind == fingerprint::MESSAGE => {
                let from = AMQPValue::LongLongInt(i64::try_from(known.offset).unwrap_or(i64::MAX));
                ends::sent(connection, stream, from, 1).await?
            }
            Self::Native(connection) if known.kind == fingerprint::CHUNK => {
                native::sent(connection, stream, OffsetSpec::Offset(known.offset)).await?
            }
            _ => None,
        };
        // If it begins behind that, retention has removed it.
        Ok(sent.is_none_or(|sent| sent.first > known.offset || sent.fingerprint == Some(known)))
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

/// The start that `begin` means now.
pub(crate) async fn resolve(ends: &Ends, stream: &str, begin: Begin) -> Result<StreamStart, TopologyError> {
    if begin == Begin::First {
        let first = ends.first(stream).await?;
        let found = if first.is_some() { Found::Logs } else { Found::Nothing };
        return Ok(StreamStart { offset: first.unwrap_or_default(), fingerprint: None, found });
    }
    // What is published from here on is newer.
    let last = ends.end(stream).await?.map(|end| end.sent);
    let next = last.map_or(0, |sent| sent.last.saturating_add(1));
    let offset = match begin {
        Begin::First => 0,
        // Of a stream that is shorter, it is the end.
        Begin::Offset(offset) => offset.min(next),
        Begin::Next => next,
        Begin::Last => last.map_or(0, |sent| sent.first),
        Begin::Time(millis) => ends.at_time(stream, millis).await?.map_or(next, |sent| sent.first),
    };
    let found = if last.is_some() { Found::Logs } else { Found::Nothing };
    Ok(StreamStart { offset, fingerprint: last.and_then(|sent| sent.fingerprint), found })
}

/// Makes sure that a stream is the one that was read up to there.
async fn check(
    ends: &Ends,
    stream: &str,
    StreamStart { offset, fingerprint, found }: StreamStart,
) -> Result<Found, TopologyError> {
    if offset == 0 && fingerprint.is_none() {
        return Ok(found);
    }
    let read = offset.max(fingerprint.map_or(0, |known| known.offset.saturating_add(1)));
    let mut looks = 1;
    loop {
        let Some(StreamEnd { sent: Sent { last, .. }, certainty }) = ends.end(stream).await? else {
            return Ok(Found::NothingLeft);
        };
        if last.saturating_add(1) >= read || certainty == Certainty::AtLeast {
            break;
        }
        if looks == LOOKS {
            return Err(TopologyError::StreamIsShorter { stream: stream.to_owned(), offset: read, last });
        }
        looks += 1;
        sleep(BETWEEN).await;
    }
    if let Some(known) = fingerprint
        && !ends.recognises(stream, known).await?
    {
        return Err(TopologyError::StreamIsAnother { stream: stream.to_owned(), offset });
    }
    Ok(Found::Logs)
}
