//! A span of streams that is read once, from its beginning to its end, by nobody in particular: no queue is used, and the
//! broker keeps no offset.
//!
//! Where it ends is found out when it is opened. The logs of all streams come in the order of their times, as far as each
//! stream has it: whoever reads the same span again gets the same.

mod part;
mod span;

use std::sync::Arc;

use futures_util::future::{join_all, select_all};
use loghost_core::application::{Extent, PastLog, PastLogs, SourceError};
use loghost_core::domain::{ConsumerName, Filter};

use self::part::{Part, Setup};
pub use self::span::Span;
use crate::connection::reconnect::ReconnectingConnection;
use crate::consume::read::Read;
use crate::message::bind_rules::BindRules;
use crate::message::names::Names;
use crate::message::record::Decode;
use crate::stream::options::{Begin, StreamAddress};
use crate::stream::way::StreamWay;
use crate::topology::error::TopologyError;

/// What is read of streams.
#[derive(Clone, Debug)]
pub struct PastOptions {
    /// Which logs: of each severity that it wants, a stream is read.
    pub filter: Filter,
    /// Of which exchanges of others a stream is read as well.
    pub rules: BindRules,
    /// Which part of them.
    pub decode: Decode,
    /// Where to begin.
    pub from: Begin,
    /// Where to end: before what would be read from there; without it, at what there is now.
    pub until: Option<Begin>,
    /// Where the stream protocol is spoken, if not where the broker says.
    pub address: Option<StreamAddress>,
    /// Who reads, for the broker.
    pub reader: ConsumerName,
}

/// Logs of the past, from streams.
pub struct PastStreams {
    setup: Setup,
    /// One of each stream, in the order of their severities; those of exchanges of others are the last.
    parts: Vec<Part>,
}

impl PastStreams {
    /// Looks at the streams, which have to exist, and finds out where the span begins and ends. Tells what of it was removed.
    ///
    /// # Errors
    /// If a stream is not there, or the broker does not tell what is in it.
    pub async fn open(
        connection: Arc<ReconnectingConnection>,
        names: Names,
        options: PastOptions,
    ) -> Result<Self, TopologyError> {
        let PastOptions { filter, rules, decode, from, until, address, reader } = options;
        let read = Read::past(names, (filter, rules), decode);
        let name = format!("loghost {reader}");
        let setup = Setup { connection, read, address, way: StreamWay::default(), name };
        let spans = setup.spans(from, until).await?;
        Ok(Self { setup, parts: spans.into_iter().map(Part::new).collect() })
    }

    /// What is read of each stream.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.parts.iter().map(|part| &part.span)
    }

    /// The next logs of the span, and behind it those that come, in the order in which they do; waits while there are none.
    /// Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// If the broker says no, or is gone for longer than it is waited for.
    pub async fn followed(&mut self, logs: &mut Vec<PastLog>, max: usize) -> Result<(), SourceError> {
        self.next(logs, max).await?;
        if !logs.is_empty() {
            return Ok(());
        }
        let Self { setup, parts } = self;
        for part in parts.iter_mut() {
            part.go_on(setup).await;
        }
        let filling = parts.iter_mut().map(|part| Box::pin(part.fill(setup)));
        let (filled, ..) = select_all(filling).await;
        filled?;
        for part in parts {
            let room = max.saturating_sub(logs.len()).min(part.logs.len());
            logs.extend(part.logs.drain(..room));
        }
        Ok(())
    }

    /// Ends reading.
    pub async fn close(self) {
        join_all(self.parts.into_iter().map(Part::close)).await;
    }
}

impl PastLogs for PastStreams {
    async fn next(&mut self, logs: &mut Vec<PastLog>, max: usize) -> Result<(), SourceError> {
        let Self { setup, parts } = self;
        while logs.len() < max {
            for part in parts.iter_mut() {
                if part.logs.is_empty() && !part.follows() {
                    part.fill(setup).await?;
                }
            }
            let heads = || parts.iter().enumerate().filter_map(|(index, part)| Some((part.head()?, index)));
            let Some((_, first)) = heads().min() else { break };
            let until = heads().filter(|(_, index)| *index != first).min();
            let part = &mut parts[first];
            let is_next = |head| until.is_none_or(|until| (head, first) < until);
            while logs.len() < max && part.head().is_some_and(is_next) {
                logs.extend(part.logs.pop_front());
            }
        }
        Ok(())
    }

    fn extent(&self) -> Extent {
        let spans = self.parts.iter().map(|part| (part.read(), part.span.until - part.span.from));
        spans.fold(Extent::default(), |extent, (read, total)| Extent {
            read: extent.read + read,
            total: extent.total + total,
        })
    }
}
