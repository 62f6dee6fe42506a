//! What a book has of streams: the finished positions of each, what it is recognised by, and what was removed of it; of
//! messages that are finished in part, the finished logs.

use std::mem;
use std::sync::Arc;

use super::partial_messages::PartialMessages;
use super::tracked::Tracked;
use super::{StreamChange, StreamState};
use crate::domain::{Fingerprint, IntervalSet, RemovedOffsets, StreamPosition};

/// The streams that were read, a few at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    read: Vec<Read>,
    partial_messages: PartialMessages,
}

/// A stream that was read.
#[derive(Clone, Debug)]
struct Read {
    stream: Arc<str>,
    /// The positions that are finished.
    finished: Tracked,
    /// The offsets that were removed before they were read.
    removed: Tracked,
    /// What it is recognised by: the last that is known.
    fingerprint: Option<Fingerprint>,
    /// Whether that has changed since it was committed.
    is_changed: bool,
}

impl Streams {
    pub(super) fn restore(streams: impl IntoIterator<Item = StreamState>) -> Self {
        let read = |StreamState { stream, finished, fingerprint, removed }| {
            let (stream, finished) = (Arc::from(stream), Tracked::from(finished));
            Read { stream, finished, removed: Tracked::from(removed), fingerprint, is_changed: false }
        };
        let (partial_messages, streams): (Vec<_>, Vec<_>) =
            streams.into_iter().partition(PartialMessages::are_of);
        Self {
            read: streams.into_iter().map(read).collect(),
            partial_messages: PartialMessages::restore(partial_messages),
        }
    }

    /// Whether the delivery at this position is finished.
    pub(super) fn contains(&mut self, position: &StreamPosition) -> bool {
        self.of(&position.stream.name, position.first).finished.set.contains(position.offset)
    }

    /// Notes that the delivery at this position is finished.
    pub(super) fn finish(&mut self, position: &StreamPosition) {
        self.partial_messages.forget(position);
        let read = self.of(&position.stream.name, position.first);
        read.finished.insert_interval(position.first, position.offset);
        let is_later = |new: &Fingerprint| read.fingerprint.is_none_or(|known| known.offset < new.offset);
        if let Some(new) = position.stream.fingerprint.filter(is_later) {
            (read.fingerprint, read.is_changed) = (Some(new), true);
        }
    }

    /// Notes that the log with this index, from 0, of the several in the delivery at this position is finished, and others are not.
    pub(super) fn finish_log(&mut self, position: &StreamPosition, index: usize) {
        // Where nothing else of the stream is finished, it goes on from there.
        self.of(&position.stream.name, position.first);
        self.partial_messages.finish(position, index);
    }

    /// Whether the log with this index is finished, of a delivery of which others are not.
    pub(super) fn contains_log(&self, position: &StreamPosition, index: usize) -> bool {
        self.partial_messages.contains(position, index)
    }

    /// Notes what was removed, unless it is finished; returns how many offsets that is.
    pub(super) fn note_removed(&mut self, removed: &RemovedOffsets) -> u64 {
        let (first, last) = (removed.first.saturating_add(1), removed.last.saturating_add(1));
        let read = self.of(&removed.stream, first);
        let unfinished = IntervalSet::from_iter([(first, last)]).without(&read.finished.set);
        for (first, last) in unfinished.iter() {
            read.removed.insert_interval(first - 1, last - 1);
        }
        unfinished.len()
    }

    /// A stream. What is before its first delivery, at the position `first`, counts as finished, because the consumer begins
    /// there.
    fn of(&mut self, stream: &Arc<str>, first: u64) -> &mut Read {
        let known = self.read.iter().position(|read| read.stream == *stream);
        let index = known.unwrap_or_else(|| {
            let (mut finished, removed) = (Tracked::default(), Tracked::default());
            if let Some(last) = first.checked_sub(1) {
                finished.insert_interval(0, last);
            }
            let stream = Arc::clone(stream);
            self.read.push(Read { stream, finished, removed, fingerprint: None, is_changed: false });
            self.read.len() - 1
        });
        &mut self.read[index]
    }

    /// The first position of each that is not finished, and what it is recognised by.
    pub(super) fn next_offsets(&self) -> impl Iterator<Item = (&Arc<str>, u64, Option<Fingerprint>)> {
        self.read.iter().map(|read| {
            let next = read.finished.set.interval_of(0).map_or(0, |(_, last)| last.saturating_add(1));
            (&read.stream, next, read.fingerprint)
        })
    }

    /// What has changed since the last call.
    pub(super) fn changes(&mut self) -> Vec<StreamChange> {
        let of_streams = self.read.iter_mut().filter_map(|read| {
            let (finished, removed) = (read.finished.changes(), read.removed.changes());
            let fingerprint = read.fingerprint.filter(|_| mem::take(&mut read.is_changed));
            let is_changed = !finished.is_empty() || !removed.is_empty() || fingerprint.is_some();
            let stream = Arc::clone(&read.stream);
            is_changed.then_some(StreamChange { stream, finished, fingerprint, removed })
        });
        let mut changes: Vec<StreamChange> = of_streams.collect();
        changes.extend(self.partial_messages.changes());
        changes
    }
}
