//! The book of one consumer: its counts, and the ids and offsets of the logs in them. It recognises a log that is
//! delivered again, so that each is counted once.

mod changes;
mod log;
mod origin;
mod saved;
#[cfg(test)]
mod tests;
mod tracked;

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

pub use self::changes::{Changes, IntervalChange, OriginChange, StreamChange};
pub use self::log::{Claim, CountedAs, FinishedLog, OriginPosition};
use self::origin::Origin;
pub use self::saved::{Expired, OriginState, StreamState};
use self::tracked::Tracked;
use super::{Counts, MessageId, Record, StreamPosition, Timestamp};

/// The counts of a consumer, with the finished sequence numbers of each origin (producer, severity and source) and the
/// finished offsets of each stream.
#[derive(Clone, Debug, Default)]
pub struct Book {
    counts: Counts,
    expired: Expired,
    /// The streams that were read, a few at most, with the offsets that are finished.
    streams: Vec<(Arc<str>, Tracked)>,
    index: HashMap<Arc<str>, usize>,
    /// By number, as in `index`; none where an origin has expired.
    origins: Vec<Option<Origin>>,
    /// The numbers of origins that changed since the last [`Book::changes`].
    changed: BTreeSet<usize>,
    /// Origins that were expired since then.
    forgotten: Vec<Arc<str>>,
    /// The key and number of the origin that was looked up last: the next log is likely to have the same.
    key: String,
    last: Option<usize>,
}

impl Book {
    /// The book as it was committed.
    pub fn restore(
        counts: Counts,
        expired: Expired,
        origins: impl IntoIterator<Item = OriginState>,
        streams: impl IntoIterator<Item = StreamState>,
    ) -> Self {
        let mut book = Self { counts, expired, ..Self::default() };
        for state in origins {
            let number = book.add(state.origin.into());
            if let Some(origin) = &mut book.origins[number] {
                origin.finished.set = state.finished;
                origin.dead.set = state.dead;
                origin.unwanted.set = state.unwanted;
                origin.seen = state.seen;
            }
        }
        for StreamState { stream, finished } in streams {
            book.finished_of(&stream.into()).set = finished;
        }
        book
    }

    /// The counts.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The latest time in the book; none in a new one.
    pub fn latest(&self) -> Option<Timestamp> {
        let seen = self.origins.iter().flatten().map(|origin| origin.seen);
        let expired = Some(self.expired.horizon).filter(|_| self.expired.origins > 0);
        seen.chain(expired).max()
    }

    /// Where to resume each stream that was read: the first offset that is not finished.
    pub fn next_offsets(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.streams.iter().map(|(stream, finished)| {
            let next = finished.set.interval_of(0).map_or(0, |(_, last)| last.saturating_add(1));
            (stream, next)
        })
    }

    /// Whether the delivery at this position is finished. Offsets before the first delivery of a stream count as
    /// finished, because the consumer begins there.
    pub fn is_finished(&mut self, position: &StreamPosition) -> bool {
        let is_known = self.streams.iter().any(|(known, _)| *known == position.stream);
        let finished = self.finished_of(&position.stream);
        if !is_known && let Some(last) = position.first.checked_sub(1) {
            finished.insert_interval(0, last);
        }
        finished.set.contains(position.offset)
    }

    /// Whether a log is new, judging by its id, at the time `now`.
    pub fn look_up(&mut self, record: &Record, now: Timestamp) -> Claim {
        let Some(Ok((producer, sequence))) = record.id.as_deref().map(MessageId::parts) else {
            return Claim::New(None);
        };
        let sequence = sequence.get();
        let number = self.number_of(producer, record);
        let Some(origin) = &mut self.origins[number] else { return Claim::New(None) };
        origin.seen = origin.seen.max(now);
        // A dead letter that is replayed is new again; any other delivery of the same log is a repetition.
        if origin.finished.set.contains(sequence) && !(record.replayed && origin.is_dead_letter(sequence)) {
            return Claim::Repeated;
        }
        Claim::New(Some(OriginPosition { origin: number, sequence }))
    }

    fn number_of(&mut self, producer: &str, record: &Record) -> usize {
        let source = if record.unkeyed { "" } else { &record.source };
        let parts = [producer, "/", record.severity.as_str(), "/", source];
        if let Some(number) = self.last.filter(|_| is_made_of(&self.key, parts)) {
            return number;
        }
        self.key.clear();
        self.key.extend(parts);
        let number = match self.index.get(self.key.as_str()) {
            Some(number) => *number,
            None => self.add(self.key.as_str().into()),
        };
        self.last = Some(number);
        number
    }

    fn add(&mut self, key: Arc<str>) -> usize {
        let origin = Origin {
            key: Arc::clone(&key),
            finished: Tracked::default(),
            dead: Tracked::default(),
            unwanted: Tracked::default(),
            seen: Timestamp::default(),
        };
        let free =
            self.origins.iter().position(Option::is_none).filter(|_| self.index.len() < self.origins.len());
        let number = free.unwrap_or_else(|| {
            self.origins.push(None);
            self.origins.len() - 1
        });
        self.origins[number] = Some(origin);
        self.index.insert(key, number);
        number
    }

    fn finished_of(&mut self, stream: &Arc<str>) -> &mut Tracked {
        let known = self.streams.iter().position(|(known, _)| known == stream);
        let index = known.unwrap_or_else(|| {
            self.streams.push((Arc::clone(stream), Tracked::default()));
            self.streams.len() - 1
        });
        &mut self.streams[index].1
    }

    /// Records that the delivery at this position is finished, whatever it was.
    pub fn finish_position(&mut self, position: &StreamPosition) {
        self.finished_of(&position.stream).insert_interval(position.first, position.offset);
    }

    /// Records a finished log, at the time `now`.
    pub fn finish(&mut self, log: &FinishedLog, now: Timestamp) {
        let FinishedLog { position, severity, timestamp, counted_as } = *log;
        let known =
            position.and_then(|position| Some((position, self.origins.get_mut(position.origin)?.as_mut()?)));
        if let Some((position, origin)) = known {
            origin.seen = origin.seen.max(now);
            let former = origin.finish(position.sequence, counted_as);
            self.changed.insert(position.origin);
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
        for (number, slot) in self.origins.iter_mut().enumerate() {
            let Some(origin) = slot.take_if(|origin| origin.seen < horizon && !is_under_way(number)) else {
                continue;
            };
            self.index.remove(&origin.key);
            self.last = None;
            self.changed.remove(&number);
            let finished = &origin.finished.set;
            if finished.is_empty() {
                // No log of it was ever finished.
                continue;
            }
            let missing = finished.highest().map_or(0, |highest| highest - finished.len());
            self.expired.origins += 1;
            // Forged ids can make the sum overflow.
            self.expired.missing = self.expired.missing.saturating_add(missing);
            self.expired.horizon = self.expired.horizon.max(horizon);
            self.forgotten.push(origin.key);
        }
    }

    /// What has changed since the last call.
    pub fn changes(&mut self) -> Changes {
        let changed = mem::take(&mut self.changed);
        let origins = changed.into_iter().filter_map(|number| {
            let origin = self.origins[number].as_mut()?;
            Some(OriginChange {
                origin: Arc::clone(&origin.key),
                seen: origin.seen,
                finished: origin.finished.changes(),
                dead: origin.dead.changes(),
                unwanted: origin.unwanted.changes(),
            })
        });
        let streams = self.streams.iter_mut().filter_map(|(stream, finished)| {
            let finished = finished.changes();
            (!finished.is_empty()).then(|| StreamChange { stream: Arc::clone(stream), finished })
        });
        Changes {
            counts: self.counts.clone(),
            expired: self.expired,
            streams: streams.collect(),
            origins: origins.collect(),
            forgotten: mem::take(&mut self.forgotten),
        }
    }
}

/// Whether `text` consists of these parts, in their order.
fn is_made_of(text: &str, parts: [&str; 5]) -> bool {
    parts.into_iter().try_fold(text, |rest, part| rest.strip_prefix(part)).is_some_and(str::is_empty)
}
