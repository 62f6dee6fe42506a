//! What a book has of streams: the finished offsets of each.

use std::sync::Arc;

use super::tracked::Tracked;
use super::{StreamChange, StreamState};
use crate::domain::StreamPosition;

/// The streams that were read, a few at most, with the offsets that are finished.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Vec<(Arc<str>, Tracked)>);

impl Streams {
    pub(super) fn restore(streams: impl IntoIterator<Item = StreamState>) -> Self {
        let streams = streams.into_iter().map(|state| (state.stream.into(), Tracked::from(state.finished)));
        Self(streams.collect())
    }

    /// The finished offsets of the stream of a delivery. Those before its first delivery count as finished, because the
    /// consumer begins there.
    pub(super) fn finished_of(&mut self, position: &StreamPosition) -> &mut Tracked {
        let known = self.0.iter().position(|(known, _)| *known == position.stream);
        let index = known.unwrap_or_else(|| {
            let mut finished = Tracked::default();
            if let Some(last) = position.first.checked_sub(1) {
                finished.insert_interval(0, last);
            }
            self.0.push((Arc::clone(&position.stream), finished));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    /// The first offset of each that is not finished.
    pub(super) fn next_offsets(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.0.iter().map(|(stream, finished)| {
            let next = finished.set.interval_of(0).map_or(0, |(_, last)| last.saturating_add(1));
            (stream, next)
        })
    }

    /// What has changed since the last call.
    pub(super) fn changes(&mut self) -> Vec<StreamChange> {
        let changes = self.0.iter_mut().filter_map(|(stream, finished)| {
            let finished = finished.changes();
            (!finished.is_empty()).then(|| StreamChange { stream: Arc::clone(stream), finished })
        });
        changes.collect()
    }
}
