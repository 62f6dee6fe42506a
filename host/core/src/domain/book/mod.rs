//! The book of one consumer: its counts, and the ids and offsets of the logs in them. It recognises a log that is
//! delivered again, so that each is counted once.

mod changes;
mod log;
mod origin;
mod origins;
mod partial_messages;
mod saved;
mod streams;
#[cfg(test)]
mod tests;
mod tracked;

use std::sync::Arc;

pub use self::changes::{Changes, IntervalChange, OriginChange, StreamChange};
pub use self::log::{Claim, CountedAs, FinishedLog, OriginPosition};
use self::origins::Origins;
pub use self::saved::{Expired, OriginState, StreamState};
use self::streams::Streams;
use super::{Counts, Fingerprint, Record, RemovedOffsets, StreamPosition, Timestamp};

/// The counts of a consumer, with the finished sequence numbers of each origin (producer, severity and source) and the
/// finished offsets of each stream.
#[derive(Clone, Debug, Default)]
pub struct Book {
    counts: Counts,
    origins: Origins,
    expired: Expired,
    streams: Streams,
}

impl Book {
    /// The book as it was committed.
    pub fn restore(
        counts: Counts,
        expired: Expired,
        origins: impl IntoIterator<Item = OriginState>,
        streams: impl IntoIterator<Item = StreamState>,
    ) -> Self {
        Self { counts, origins: Origins::restore(origins), expired, streams: Streams::restore(streams) }
    }

    /// The counts.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The latest time in the book; none in a new one.
    pub fn latest(&self) -> Option<Timestamp> {
        let expired = (self.expired.origins > 0).then_some(self.expired.horizon);
        self.origins.latest().max(expired)
    }

    /// Where to resume each stream that was read: the first offset that is not finished; and what the stream is recognised by.
    pub fn next_offsets(&self) -> impl Iterator<Item = (&Arc<str>, u64, Option<Fingerprint>)> {
        self.streams.next_offsets()
    }

    /// Whether the delivery at this position is new.
    pub fn look_up_position(&mut self, position: &StreamPosition) -> bool {
        !self.streams.contains(position)
    }

    /// Whether the log with this index, from 0, of the several in the delivery at this position is new.
    pub fn look_up_log(&self, position: &StreamPosition, index: usize) -> bool {
        !self.streams.contains_log(position, index)
    }

    /// Whether a log is new, by its id, at the time `now`.
    pub fn look_up(&mut self, record: &Record, now: Timestamp) -> Claim {
        let Some((producer, sequence)) = record.numbered() else {
            return Claim::New(None);
        };
        let sequence = sequence.get();
        let number = self.origins.number_of(producer, record);
        let Some(origin) = self.origins.get_mut(number) else { return Claim::New(None) };
        origin.seen = origin.seen.max(now);
        // A dead letter that is replayed is new again; any other delivery of the same log is a repetition.
        if origin.finished.set.contains(sequence) && !(record.replayed && origin.is_dead_letter(sequence)) {
            return Claim::Repeated;
        }
        Claim::New(Some(OriginPosition { origin: number, sequence }))
    }

    /// Records that the delivery at this position is finished, whatever it was.
    pub fn finish_position(&mut self, position: &StreamPosition) {
        self.streams.finish(position);
    }

    /// Records that the log with this index, from 0, is finished, and others of the delivery at this position are not.
    pub fn finish_log(&mut self, position: &StreamPosition, index: usize) {
        self.streams.finish_log(position, index);
    }

    /// Records offsets that were removed from a stream, but for those that are finished; returns how many.
    pub fn note_removed(&mut self, removed: &RemovedOffsets) -> u64 {
        let offsets = self.streams.note_removed(removed);
        self.counts.removed = self.counts.removed.saturating_add(offsets);
        offsets
    }

    /// Records finished logs, at the time `now`.
    pub fn finish(&mut self, logs: &[FinishedLog], now: Timestamp) {
        FinishedLog::runs(logs).for_each(|run| self.finish_run(run, now));
    }

    fn finish_run(&mut self, run: &[FinishedLog], now: Timestamp) {
        let [FinishedLog { position, severity, undetermined, counted_as, .. }, ..] = *run else { return };
        let logs = run.len() as u64;
        let known = position.and_then(|position| Some((position, self.origins.get_mut(position.origin)?)));
        if let Some((OriginPosition { origin: number, sequence }, origin)) = known {
            origin.seen = origin.seen.max(now);
            let (were_dead, were_unwanted) = origin.finish(sequence, sequence + (logs - 1), counted_as);
            self.origins.mark_changed(number);
            self.counts.rejected.take(severity, were_dead);
            self.counts.unwanted.take(severity, were_unwanted);
        } else if counted_as != CountedAs::Unwanted {
            self.counts.without_id += logs;
        }
        if undetermined && counted_as != CountedAs::Unwanted {
            self.counts.undetermined += logs;
        }
        match counted_as {
            CountedAs::Accepted => run.iter().for_each(|log| self.counts.accept(severity, log.timestamp)),
            CountedAs::Skipped => self.counts.skipped[severity] += logs,
            CountedAs::Dead => self.counts.rejected[severity] += logs,
            CountedAs::Unwanted => self.counts.unwanted[severity] += logs,
        }
    }

    /// Records this many messages that were no logs.
    pub fn note_foreign(&mut self, messages: u64) {
        self.counts.foreign += messages;
    }

    /// Records this many messages that the broker could not deliver.
    pub fn note_undeliverable(&mut self, messages: u64) {
        self.counts.undeliverable += messages;
    }

    /// Records this many repeated deliveries.
    pub fn repeat(&mut self, deliveries: u64) {
        self.counts.repeated += deliveries;
    }

    /// Removes the origins that were last seen before `horizon`. Their logs stay counted, but would be counted again if
    /// they were delivered again; so origins with logs in process are kept.
    pub fn expire(&mut self, horizon: Timestamp, is_under_way: impl Fn(usize) -> bool) {
        self.origins.expire(horizon, is_under_way, &mut self.expired);
    }

    /// What has changed since the last call.
    pub fn changes(&mut self) -> Changes {
        let (origins, forgotten) = self.origins.changes();
        Changes {
            counts: self.counts.clone(),
            expired: self.expired,
            streams: self.streams.changes(),
            origins,
            forgotten,
        }
    }
}
