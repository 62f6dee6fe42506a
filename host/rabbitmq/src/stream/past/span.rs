//! Which offsets are read of a stream.

use std::sync::Arc;

use futures_util::future::try_join_all;
use loghost_core::domain::Severity;

use super::part::Setup;
use crate::connection::open::Connection;
use crate::stream::begin::{Ends, resolve};
use crate::stream::election::when_elected;
use crate::stream::native::Nodes;
use crate::stream::options::Begin;
use crate::topology::channel::{close, open_channel};
use crate::topology::error::TopologyError;
use crate::topology::event::TopologyEvent;
use crate::topology::look::look;

/// Which offsets are read of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The severity of its logs; none if each says it itself.
    pub severity: Option<Severity>,
    /// The name of the stream.
    pub stream: Arc<str>,
    /// The first offset.
    pub from: u64,
    /// The first offset that is not read; not less than `from`.
    pub until: u64,
    /// The first offset that the stream does not have yet.
    pub end: u64,
}

impl Setup {
    /// What `from` and `until` mean in the streams of what is read now. Tells what of it was removed. Those that were just
    /// declared are waited for.
    pub(super) async fn spans(&self, from: Begin, until: Option<Begin>) -> Result<Vec<Span>, TopologyError> {
        let connection = self.connection.connection().await?;
        let streams = self.read.streams();
        let names: Vec<&str> = streams.iter().map(String::as_str).collect();
        connection.answer(check(&connection, &names)).await?;
        let found = when_elected(|| self.find_spans(&connection, &names, (from, until))).await?;
        let mut spans = Vec::new();
        for (span, removed) in found {
            if let Some(event) = removed {
                connection.tell(None, &event);
            }
            spans.push(span);
        }
        Ok(spans)
    }

    /// The same, if the streams can be asked now; each with what was removed of it.
    async fn find_spans(
        &self,
        connection: &Arc<Connection>,
        streams: &[&str],
        (from, until): (Begin, Option<Begin>),
    ) -> Result<Vec<(Span, Option<TopologyEvent>)>, TopologyError> {
        let nodes = self.way.nodes(connection, self.address.as_ref(), streams, &self.name).await?;
        let finding = streams.iter().map(async |stream| {
            let ends = Ends::of(stream, connection, nodes.as_ref());
            let end = ends.end(stream).await?.map_or(0, |end| end.sent.last.saturating_add(1));
            let first = ends.first(stream).await?.unwrap_or(end);
            let wanted = resolve(&ends, stream, from).await?.offset;
            let removed = (begins_later(from, wanted, first) && first > 0).then(|| {
                let wanted = matches!(from, Begin::Offset(_)).then_some(wanted);
                TopologyEvent::PastRemoved { stream: (*stream).to_owned(), wanted, first }
            });
            let from = wanted.max(first).min(end);
            let until = match until {
                Some(until) => resolve(&ends, stream, until).await?.offset.clamp(from, end),
                None => end,
            };
            let (severity, stream) = (self.read.names.severity(stream), Arc::from(*stream));
            let span = Span { severity, stream, from, until: until.max(from), end };
            Ok::<_, TopologyError>((span, removed))
        });
        let spans = connection.answer(try_join_all(finding)).await;
        if let Some(nodes) = nodes {
            Nodes::close(&nodes).await;
        }
        spans
    }
}

/// Whether something may have been removed that was to be read: what was asked for is before all that is there. What is
/// asked for by a time is found to be that.
fn begins_later(from: Begin, wanted: u64, first: u64) -> bool {
    match from {
        Begin::Offset(_) => wanted < first,
        Begin::Time(_) => wanted == first,
        Begin::First | Begin::Last | Begin::Next => false,
    }
}

/// Makes sure that there are these streams, or queues of their names.
async fn check(connection: &Connection, streams: &[&str]) -> Result<(), TopologyError> {
    let mut channel = open_channel(connection).await?;
    let mut missing = Vec::new();
    for stream in streams {
        match look(&channel, stream).await {
            Ok(Some(_)) => continue,
            Ok(None) => missing.push((*stream).to_owned()),
            // RabbitMQ 4 refuses this to a user without any permission for it: reading it fails and says so.
            Err(error) if error.is_access_refused() => {}
            Err(error) => return Err(error),
        }
        channel = open_channel(connection).await?;
    }
    close(&channel).await;
    if missing.is_empty() { Ok(()) } else { Err(TopologyError::NoStream(missing)) }
}
