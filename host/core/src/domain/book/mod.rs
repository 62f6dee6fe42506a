//! The book of one consumer: its counts, and the ids and offsets of the logs in them. It recognises a log that is
//! delivered again, so that each is counted once.

mod changes;
mod log;
mod origin;
mod origins;
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
use super::{Counts, MessageId, Record, StreamPosition, Timestamp};

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

    /// Where to resume each stream that was read: the first offset that is not finished.
    pub fn next_offsets(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.streams.next_offsets()
    }

    /// Whether the delivery at this position is new.
    pub fn look_up_position(&mut self, position: &StreamPosition) -> bool {
        !self.streams.finished_of(position).set.contains(position.offset)
    }

    /// Whether a log is new, judging by its id, at the time `now`.
    pub fn look_up(&mut self, record: &Record, now: Timestamp) -> Claim {
        let Some(Ok((producer, sequence))) = record.id.as_deref().map(MessageId::parts) else {
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
        self.streams.finished_of(position).insert_interval(position.first, position.offset);
    }

    /// Records a finished log, at the time `now`.
    pub fn finish(&mut self, log: &FinishedLog, now: Timestamp) {
        let FinishedLog { position, severity, timestamp, counted_as } = *log;
        let known = position.and_then(|position| Some((position, self.origins.get_mut(position.origin)?)));
        if let Some((position, origin)) = known {
            origin.seen = origin.seen.max(now);
            let former = origin.finish(position.sequence, counted_as);
            self.origins.mark_changed(position.origin);
            match former {
                Some(CountedAs::Dead) => self.counts.rejected.take_one(severity),
                Some(CountedAs::Unwanted) => self.counts.unwanted.take_one(severity),
                _ => {}
            }
        } else if counted_as != CountedAs::Unwanted {
            self.counts.without_id += 1;
        }
        match counted_as {
            CountedAs::Accepted => self.counts.accept(severity, timestamp),
            CountedAs::Skipped => self.counts.skipped[severity] += 1,
            CountedAs::Dead => self.counts.rejected[severity] += 1,
            CountedAs::Unwanted => self.counts.unwanted[severity] += 1,
        }
    }

    /// Records this many messages that were no logs.
    pub fn note_foreign(&mut self, messages: u64) {
        self.counts.foreign += messages;
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
