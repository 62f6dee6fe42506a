//! The book of one consumer: its counts, and which logs are in them. What it says of a log that comes again
//! is what makes counts exact.

mod tracked;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use self::tracked::Tracked;
use super::{Counts, IntervalSet, MessageId, Record, Severity, StreamPosition, Timestamp};

/// What is counted: of which origin (producer, severity and source) which sequence numbers are in it, and of which
/// stream which offsets.
#[derive(Clone, Debug, Default)]
pub struct Book {
    counts: Counts,
    expired: Expired,
    /// The streams that were read, a few at most, with the offsets that are finished.
    streams: Vec<(Arc<str>, Tracked)>,
    index: HashMap<Arc<str>, usize>,
    /// By the number in the index; empty where an origin has expired.
    origins: Vec<Option<Origin>>,
    /// Origins that changed since the last [`Book::changes`].
    changed: BTreeSet<usize>,
    /// Origins that were expired since then.
    forgotten: Vec<Arc<str>>,
    /// The origin that was looked for last, and its number: the next is likely to be the same.
    key: String,
    last: Option<usize>,
}

/// What is known of an origin.
#[derive(Clone, Debug)]
struct Origin {
    key: Arc<str>,
    /// Counted, dead or unwanted.
    finished: Tracked,
    /// Among the dead letters, because of what the consumer said or did.
    dead: Tracked,
    /// Among the dead letters, because the filter does not want them.
    unwanted: Tracked,
    seen: Timestamp,
}

/// What is left of origins that were not seen for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many there were.
    pub origins: u64,
    /// How many of their logs were missing.
    pub missing: u64,
    /// All of them were last seen before this, in the time of the book.
    pub horizon: Timestamp,
}

/// Where a log stands among those of its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginPosition {
    /// The number of the origin in this book.
    pub origin: usize,
    /// The log's sequence number.
    pub sequence: u64,
}

/// What a delivery is to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is not finished; without a position if it has no id of loghost's form.
    New(Option<OriginPosition>),
    /// It is finished.
    Repeated,
}

/// What became of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It counts.
    Accepted,
    /// The consumer said not to count it.
    Skipped,
    /// The consumer rejected it, or failed at it: it is among the dead letters.
    Dead,
    /// The filter does not want it: it is among the dead letters.
    Unwanted,
}

/// A log that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishedLog {
    /// Where it stands among those of its origin, if it has an id of loghost's form.
    pub position: Option<OriginPosition>,
    /// Its severity.
    pub severity: Severity,
    /// Its time.
    pub timestamp: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What changed in a book since it was asked last; to be committed as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The counts as they are now.
    pub counts: Counts,
    /// What has expired in all.
    pub expired: Expired,
    /// The streams of which more offsets are finished.
    pub streams: Vec<StreamChange>,
    /// The origins that changed.
    pub origins: Vec<OriginChange>,
    /// The origins that are no longer in the book.
    pub forgotten: Vec<Arc<str>>,
}

/// What changed of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamChange {
    /// Its name.
    pub stream: Arc<str>,
    /// Intervals of the offsets that are finished.
    pub finished: Vec<IntervalChange>,
}

/// A stream, as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Its name.
    pub stream: String,
    /// The offsets that are finished.
    pub finished: IntervalSet,
}

/// What changed of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginChange {
    /// `producer/severity/source`
    pub origin: Arc<str>,
    /// When it was last seen, in the time of the book.
    pub seen: Timestamp,
    /// Intervals of what is finished: counted, dead or unwanted.
    pub finished: Vec<IntervalChange>,
    /// Intervals of what is dead.
    pub dead: Vec<IntervalChange>,
    /// Intervals of what is unwanted.
    pub unwanted: Vec<IntervalChange>,
}

/// An interval that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalChange {
    /// Its first number.
    pub first: u64,
    /// Its last number; none if no interval begins here any more.
    pub last: Option<u64>,
}

/// An origin, as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginState {
    /// `producer/severity/source`
    pub origin: String,
    /// When it was last seen, in the time of the book.
    pub seen: Timestamp,
    /// What is finished: counted, dead or unwanted.
    pub finished: IntervalSet,
    /// What is dead.
    pub dead: IntervalSet,
    /// What is unwanted.
    pub unwanted: IntervalSet,
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

    /// The latest time in it; none in a new one.
    pub fn latest(&self) -> Option<Timestamp> {
        let seen = self.origins.iter().flatten().map(|origin| origin.seen);
        let expired = Some(self.expired.horizon).filter(|_| self.expired.origins > 0);
        seen.chain(expired).max()
    }

    /// Where to go on in each stream that was read: at the first offset that is not finished.
    pub fn next_offsets(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.streams.iter().map(|(stream, finished)| {
            let next = finished.set.interval_of(0).map_or(0, |(_, last)| last.saturating_add(1));
            (stream, next)
        })
    }

    /// Whether the delivery at this position is finished. What lies before the first one of a stream counts as finished:
    /// the consumer begins there.
    pub fn is_finished(&mut self, position: &StreamPosition) -> bool {
        let is_known = self.streams.iter().any(|(known, _)| *known == position.stream);
        let finished = self.finished_of(&position.stream);
        if !is_known && let Some(last) = position.first.checked_sub(1) {
            finished.insert_interval(0, last);
        }
        finished.set.contains(position.offset)
    }

    /// Whether a log is new, by its id, at the time `now`.
    pub fn look_up(&mut self, record: &Record, now: Timestamp) -> Claim {
        let Some(Ok((producer, sequence))) = record.id.as_deref().map(MessageId::parts) else {
            return Claim::New(None);
        };
        let sequence = sequence.get();
        let number = self.number_of(producer, record);
        let Some(origin) = &mut self.origins[number] else { return Claim::New(None) };
        origin.seen = origin.seen.max(now);
        // A dead letter that is sent back is new once more; the same log coming any other way is not.
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

    /// Enters that a delivery at this position is finished, whatever it was.
    pub fn finish_position(&mut self, position: &StreamPosition) {
        self.finished_of(&position.stream).insert_interval(position.first, position.offset);
    }

    /// Enters what became of a log, at the time `now`.
    pub fn finish(&mut self, log: &FinishedLog, now: Timestamp) {
        let FinishedLog { position, severity, timestamp, fate } = *log;
        let known =
            position.and_then(|position| Some((position, self.origins.get_mut(position.origin)?.as_mut()?)));
        if let Some((position, origin)) = known {
            origin.seen = origin.seen.max(now);
            let former = origin.finish(position.sequence, fate);
            self.changed.insert(position.origin);
            match former {
                Some(Fate::Dead) => self.counts.rejected.take_one(severity),
                Some(Fate::Unwanted) => self.counts.unwanted.take_one(severity),
                _ => {}
            }
        } else if fate != Fate::Unwanted {
            self.counts.without_id += 1;
        }
        match fate {
            Fate::Accepted => self.counts.accept(severity, timestamp),
            Fate::Skipped => self.counts.skipped[severity] += 1,
            Fate::Dead => self.counts.rejected[severity] += 1,
            Fate::Unwanted => self.counts.unwanted[severity] += 1,
        }
    }

    /// Enters that so many messages were no logs.
    pub fn note_foreign(&mut self, messages: u64) {
        self.counts.foreign += messages;
    }

    /// Enters that so many deliveries were repetitions.
    pub fn repeat(&mut self, deliveries: u64) {
        self.counts.repeated += deliveries;
    }

    /// Removes the origins that were last seen before `horizon`, except those of which logs are under way: their logs
    /// stay counted, and would no longer be recognised.
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
                // Nothing of it was ever finished: it came, and was lost on the way.
                continue;
            }
            let missing = finished.highest().map_or(0, |highest| highest - finished.len());
            self.expired.origins += 1;
            // Whoever makes up an id can have as many missing as there are numbers.
            self.expired.missing = self.expired.missing.saturating_add(missing);
            self.expired.horizon = self.expired.horizon.max(horizon);
            self.forgotten.push(origin.key);
        }
    }

    /// What has changed since this was called last.
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

impl Origin {
    fn is_dead_letter(&self, n: u64) -> bool {
        self.dead.set.contains(n) || self.unwanted.set.contains(n)
    }

    /// Enters what became of `n`; returns as what it was among the dead letters before.
    fn finish(&mut self, n: u64, fate: Fate) -> Option<Fate> {
        self.finished.insert(n);
        let was_dead = self.dead.remove(n);
        let was_unwanted = self.unwanted.remove(n);
        match fate {
            Fate::Dead => self.dead.insert(n),
            Fate::Unwanted => self.unwanted.insert(n),
            Fate::Accepted | Fate::Skipped => {}
        }
        if was_dead { Some(Fate::Dead) } else { was_unwanted.then_some(Fate::Unwanted) }
    }
}

/// Whether `text` consists of these parts, in their order.
fn is_made_of(text: &str, parts: [&str; 5]) -> bool {
    parts.into_iter().try_fold(text, |rest, part| rest.strip_prefix(part)).is_some_and(str::is_empty)
}
