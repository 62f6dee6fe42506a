//! How far consumers have read streams: as the state of their host tells, a running host, or the broker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loghost_core::domain::{ConsumerName, Severity, StreamState};
use loghost_rabbitmq::{Connection, StreamFigures, StreamWay, present};
use loghost_store::state::Contents;

use super::Options;
use crate::compose::failure::Failure;
use crate::compose::running_host::RunningConsumerStatus;
use crate::compose::state::unusable;
use crate::compose::target::refused;
use crate::ui::events::command::StatusEvent;
use crate::ui::status::{PositionSource, StreamSample, StreamsLook};
use crate::ui::terminal;

/// How long the broker may take to tell where streams end.
const WITHIN: Duration = Duration::from_secs(5);

/// Looks at streams.
pub(super) struct Streams<'a> {
    options: &'a Options,
    connection: &'a Arc<Connection>,
    figures: StreamFigures,
    /// Those that there are, of the severities: of them, the broker may know how far they were read.
    present: Vec<String>,
}

/// The first offset that is not finished, of each stream that somebody knows of.
type NextOffsets = Vec<(String, u64)>;

impl<'a> Streams<'a> {
    /// Finds out which there are.
    pub(super) async fn find(connection: &'a Arc<Connection>, options: &'a Options) -> Result<Self, Failure> {
        let names = &options.target.names;
        let names: Vec<String> = Severity::ALL.into_iter().map(|of| names.exchange(of).to_owned()).collect();
        let present = present(connection, &names).await.map_err(refused)?;
        let figures = StreamFigures::new(StreamWay::default(), options.stream_address.clone());
        Ok(Self { options, connection, figures, present })
    }

    /// Looks at those of each consumer, in their order, of which each has a queue.
    pub(super) async fn look(
        &self,
        consumers: &[ConsumerName],
        hosted: &[RunningConsumerStatus],
    ) -> Result<Vec<StreamsLook>, Failure> {
        let states = self.states()?;
        let mut all: Vec<(Option<PositionSource>, NextOffsets)> = Vec::new();
        let mut failed = None;
        for consumer in consumers {
            let queue = self.options.target.names.queue(consumer);
            let told = [
                (PositionSource::State, self.in_states(&states, &queue)?),
                (PositionSource::Host, self.of_host(hosted, consumer)),
                (
                    PositionSource::Broker,
                    self.stored(&queue).await.unwrap_or_else(|why| {
                        failed.get_or_insert(why);
                        Vec::new()
                    }),
                ),
            ];
            let told = told.into_iter().find(|(_, next)| !next.is_empty());
            all.push(told.map_or((None, Vec::new()), |(teller, next)| (Some(teller), next)));
        }
        if let Some(why) = failed {
            terminal::tell(StatusEvent::PositionsUnknown(why));
        }
        let names: BTreeSet<&String> =
            all.iter().flat_map(|(_, next)| next).map(|(stream, _)| stream).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        // Of one that is not there, and so of all, the broker would tell nothing.
        let read = present(self.connection, &names).await.map_err(refused)?;
        let ends = if read.is_empty() {
            Vec::new()
        } else {
            self.figures.ends(self.connection, &read, WITHIN).await
        };
        let end = |stream: &str| read.iter().position(|read| read == stream).and_then(|n| ends[n]);
        let at = Instant::now();
        let look = |(told_by, next): (Option<PositionSource>, NextOffsets)| {
            let streams =
                next.into_iter().map(|(stream, next)| StreamSample { end: end(&stream), stream, next });
            StreamsLook { at, told_by, streams: streams.collect() }
        };
        Ok(all.into_iter().map(look).collect())
    }

    /// Says of whom it is not known whether they read streams, and which ends are not known.
    pub(super) fn say_unknown(&self, looks: &[(&ConsumerName, &StreamsLook)]) {
        let untold = looks.iter().filter(|(_, look)| look.told_by.is_none());
        let untold: Vec<String> = untold.map(|(consumer, _)| consumer.to_string()).collect();
        if !self.present.is_empty() && !untold.is_empty() {
            let streams = self.present.clone();
            terminal::tell(StatusEvent::PositionsNotStored { streams, consumers: untold });
        }
        let endless = looks.iter().flat_map(|(_, look)| &look.streams).filter(|look| look.end.is_none());
        let mut endless: Vec<String> = endless.map(|look| look.stream.clone()).collect();
        endless.sort_unstable();
        endless.dedup();
        if !endless.is_empty() {
            terminal::tell(StatusEvent::EndsUnknown(endless));
        }
    }

    /// A copy of each state.
    fn states(&self) -> Result<Vec<Contents>, Failure> {
        self.options.states.iter().map(|folder| Contents::copied(folder).map_err(unusable)).collect()
    }

    /// What the host says of the streams of this prefix.
    fn of_host(&self, hosted: &[RunningConsumerStatus], consumer: &ConsumerName) -> NextOffsets {
        let found = hosted.iter().find(|hosted| hosted.name == consumer.as_str());
        let streams = found.into_iter().flat_map(|hosted| &hosted.streams);
        let streams = streams.filter(|stream| self.options.target.names.is_stream(&stream.stream));
        let next = |committed: Option<u64>| committed.map_or(0, |committed| committed.saturating_add(1));
        streams.map(|stream| (stream.stream.clone(), next(stream.committed_offset))).collect()
    }

    /// What the broker has stored under the name of the queue.
    async fn stored(&self, queue: &str) -> Result<NextOffsets, String> {
        if self.present.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.figures.stored(self.connection, &self.present, queue).await;
        let stored = stored.map_err(|error| error.to_string())?;
        Ok(self
            .present
            .iter()
            .cloned()
            .zip(stored)
            .filter_map(|(stream, next)| Some((stream, next?)))
            .collect())
    }

    /// What the states of hosts that took turns have of a consumer: of each stream, the one that has read most.
    fn in_states(&self, states: &[Contents], queue: &str) -> Result<NextOffsets, Failure> {
        let mut next: NextOffsets = Vec::new();
        for state in states {
            let account = state.account(queue).map_err(unusable)?;
            let streams = account.into_iter().flat_map(|account| account.streams);
            let is_stream = |stream: &StreamState| {
                !stream.has_partial_messages() && self.options.target.names.is_stream(&stream.stream)
            };
            for stream in streams.filter(is_stream) {
                let offset = stream.next_offset();
                match next.iter_mut().find(|(name, _)| *name == stream.stream) {
                    Some((_, highest)) => *highest = offset.max(*highest),
                    None => next.push((stream.stream, offset)),
                }
            }
        }
        Ok(next)
    }
}
