//! The book of one consumer: its counts, and which logs are in them. What it says of a log that comes again
//! is what makes counts exact.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use super::{Counts, IntervalSet, MessageId, Record, Severity, Timestamp};

/// What is counted, and of which origin (producer, severity and source) which sequence numbers are in it.
#[derive(Clone, Debug, Default)]
pub struct Book {
    counts: Counts,
    expired: Expired,
    index: HashMap<Arc<str>, usize>,
    /// By their place in the index; empty where an origin has expired.
    origins: Vec<Option<Origin>>,
    /// Origins that changed since the last [`Book::changes`].
    changed: BTreeSet<usize>,
    /// Origins that were expired since then.
    forgotten: Vec<Arc<str>>,
    /// The origin that was looked for last, and its place: the next is likely to be the same.
    key: String,
    place: Option<usize>,
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
    /// Delivered, and not finished yet.
    in_hand: IntervalSet,
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

/// A place in a sequence: an origin of one book, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    origin: usize,
    sequence: u64,
}

/// What a delivery is to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A log to be judged; without a place if it has no id of loghost's form.
    New(Option<Place>),
    /// A log that is finished or in hand already.
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
pub struct Settled {
    /// Where it stands, if it has an id of loghost's form.
    pub place: Option<Place>,
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
    /// The origins that changed.
    pub origins: Vec<OriginChange>,
    /// The origins that are no longer in the book.
    pub forgotten: Vec<Arc<str>>,
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
    pub fn restore(counts: Counts, expired: Expired, origins: impl IntoIterator<Item = OriginState>) -> Self {
        let mut book = Self { counts, expired, ..Self::default() };
        for state in origins {
            let key: Arc<str> = state.origin.into();
            let place = book.add(key);
            if let Some(origin) = &mut book.origins[place] {
                origin.finished.set = state.finished;
                origin.dead.set = state.dead;
                origin.unwanted.set = state.unwanted;
                origin.seen = state.seen;
            }
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

    /// What a delivery is. A new log is in hand from now on, until it is [settled](Self::settle) or
    /// [released](Self::release).
    pub fn claim(&mut self, record: &Record, now: Timestamp) -> Claim {
        let Some(Ok((producer, sequence))) = record.id.as_deref().map(MessageId::parts) else {
            return Claim::New(None);
        };
        let sequence = sequence.get();
        let place = self.place_of(producer, record);
        let Some(origin) = &mut self.origins[place] else { return Claim::New(None) };
        origin.seen = origin.seen.max(now);
        // A dead letter that is sent back is new once more; the same log coming any other way is not.
        let finished = origin.finished.set.contains(sequence);
        let revived = record.replayed && origin.is_dead_letter(sequence);
        if (finished && !revived) || !origin.in_hand.insert(sequence) {
            return Claim::Repeated;
        }
        Claim::New(Some(Place { origin: place, sequence }))
    }

    fn place_of(&mut self, producer: &str, record: &Record) -> usize {
        let source = if record.unkeyed { "" } else { &record.source };
        let parts = [producer, "/", record.severity.as_str(), "/", source];
        if let Some(place) = self.place.filter(|_| is_made_of(&self.key, parts)) {
            return place;
        }
        self.key.clear();
        self.key.extend(parts);
        let place = match self.index.get(self.key.as_str()) {
            Some(place) => *place,
            None => self.add(self.key.as_str().into()),
        };
        self.place = Some(place);
        place
    }

    fn add(&mut self, key: Arc<str>) -> usize {
        let origin = Origin {
            key: Arc::clone(&key),
            finished: Tracked::default(),
            dead: Tracked::default(),
            unwanted: Tracked::default(),
            in_hand: IntervalSet::default(),
            seen: Timestamp::default(),
        };
        let place =
            self.origins.iter().position(Option::is_none).filter(|_| self.index.len() < self.origins.len());
        let place = place.unwrap_or_else(|| {
            self.origins.push(None);
            self.origins.len() - 1
        });
        self.origins[place] = Some(origin);
        self.index.insert(key, place);
        place
    }

    /// Enters what became of a log, at the time `now`.
    pub fn settle(&mut self, settled: &Settled, now: Timestamp) {
        let Settled { place, severity, timestamp, fate } = *settled;
        let known = place.and_then(|place| Some((place, self.origins.get_mut(place.origin)?.as_mut()?)));
        if let Some((place, origin)) = known {
            origin.seen = origin.seen.max(now);
            let former = origin.settle(place.sequence, fate);
            self.changed.insert(place.origin);
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

    /// Forgets what is in hand: it will be delivered again.
    pub fn release(&mut self) {
        for origin in self.origins.iter_mut().flatten() {
            origin.in_hand = IntervalSet::default();
        }
    }

    /// Folds away the origins that were last seen before `horizon`: their logs stay counted, and would no
    /// longer be recognised.
    pub fn expire(&mut self, horizon: Timestamp) {
        for (place, slot) in self.origins.iter_mut().enumerate() {
            let Some(origin) = slot.take_if(|origin| origin.seen < horizon && origin.in_hand.is_empty())
            else {
                continue;
            };
            self.index.remove(&origin.key);
            self.place = None;
            self.changed.remove(&place);
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
        let origins = changed.into_iter().filter_map(|place| {
            let origin = self.origins[place].as_mut()?;
            Some(OriginChange {
                origin: Arc::clone(&origin.key),
                seen: origin.seen,
                finished: origin.finished.changes(),
                dead: origin.dead.changes(),
                unwanted: origin.unwanted.changes(),
            })
        });
        Changes {
            counts: self.counts.clone(),
            expired: self.expired,
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
    fn settle(&mut self, n: u64, fate: Fate) -> Option<Fate> {
        self.in_hand.remove(n);
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

/// A set, and which of its intervals changed.
#[derive(Clone, Debug, Default)]
struct Tracked {
    set: IntervalSet,
    /// Where intervals began that are other ones now, or none.
    touched: BTreeSet<u64>,
}

impl Tracked {
    fn insert(&mut self, n: u64) {
        // An interval that begins right behind it becomes part of its own.
        if let Some(next) = n.checked_add(1).filter(|next| self.set.interval_from(*next).is_some()) {
            self.touched.insert(next);
        }
        if self.set.insert(n) {
            self.touched.extend(self.set.interval_of(n).map(|(first, _)| first));
        }
    }

    fn remove(&mut self, n: u64) -> bool {
        let Some((first, last)) = self.set.interval_of(n) else { return false };
        self.touched.insert(first);
        if n < last {
            self.touched.insert(n + 1);
        }
        self.set.remove(n)
    }

    fn changes(&mut self) -> Vec<IntervalChange> {
        let touched = mem::take(&mut self.touched);
        touched
            .into_iter()
            .map(|first| IntervalChange { first, last: self.set.interval_from(first) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn record(sequence: u64, replayed: bool) -> Record {
        Record {
            severity: Severity::Error,
            timestamp: Timestamp::from_millis(sequence),
            attempt: 1,
            message: String::new(),
            id: Some(format!("loghost:p/{sequence}")),
            source: "web".to_owned(),
            attributes: Vec::new(),
            unkeyed: false,
            replayed,
            hops: 0,
        }
    }

    fn settle(book: &mut Book, claim: Claim, fate: Fate, now: u64) {
        let Claim::New(place) = claim else { panic!("{claim:?}") };
        let timestamp = Timestamp::from_millis(now);
        book.settle(&Settled { place, severity: Severity::Error, timestamp, fate }, timestamp);
    }

    #[test]
    fn a_log_is_new_once() {
        let mut book = Book::default();
        let first = book.claim(&record(1, false), Timestamp::default());
        assert_eq!(
            book.claim(&record(1, false), Timestamp::default()),
            Claim::Repeated,
            "while it is in hand"
        );
        book.release();
        assert!(
            matches!(book.claim(&record(1, false), Timestamp::default()), Claim::New(Some(_))),
            "after a loss"
        );
        settle(&mut book, first, Fate::Accepted, 1);
        assert_eq!(book.claim(&record(1, false), Timestamp::default()), Claim::Repeated);
        assert_eq!(book.claim(&record(1, true), Timestamp::default()), Claim::Repeated, "it is not dead");
    }

    #[test]
    fn a_dead_letter_is_counted_once_when_it_is_sent_back() {
        let mut book = Book::default();
        let claim = book.claim(&record(7, false), Timestamp::default());
        settle(&mut book, claim, Fate::Dead, 1);
        assert_eq!(book.claim(&record(7, false), Timestamp::default()), Claim::Repeated, "not sent back");
        let again = book.claim(&record(7, true), Timestamp::default());
        settle(&mut book, again, Fate::Dead, 2);
        assert_eq!(book.counts().rejected.total(), 1, "the same log");
        let back = book.claim(&record(7, true), Timestamp::default());
        settle(&mut book, back, Fate::Accepted, 3);
        assert_eq!((book.counts().accepted.total(), book.counts().rejected.total()), (1, 0));
        assert_eq!(book.claim(&record(7, true), Timestamp::default()), Claim::Repeated);
    }

    #[test]
    fn an_unwanted_log_is_counted_once_when_it_is_sent_back_and_wanted() {
        let mut book = Book::default();
        let claim = book.claim(&record(7, false), Timestamp::default());
        settle(&mut book, claim, Fate::Unwanted, 1);
        assert_eq!(book.claim(&record(7, false), Timestamp::default()), Claim::Repeated, "not sent back");
        for (fate, expected) in [
            (Fate::Unwanted, (0, 0, 1)),
            (Fate::Dead, (0, 1, 0)),
            (Fate::Unwanted, (0, 0, 1)),
            (Fate::Accepted, (1, 0, 0)),
        ] {
            let again = book.claim(&record(7, true), Timestamp::default());
            settle(&mut book, again, fate, 2);
            let Counts { accepted, rejected, unwanted, .. } = book.counts();
            assert_eq!((accepted.total(), rejected.total(), unwanted.total()), expected, "{fate:?}");
        }
        assert_eq!(book.claim(&record(7, true), Timestamp::default()), Claim::Repeated);
    }

    #[test]
    fn what_was_not_seen_for_long_expires() {
        let mut book = Book::default();
        for n in [1, 2, 5] {
            let claim = book.claim(&record(n, false), Timestamp::default());
            settle(&mut book, claim, Fate::Accepted, 10);
        }
        book.changes();
        book.expire(Timestamp::from_millis(10));
        assert!(book.changes().forgotten.is_empty());
        book.expire(Timestamp::from_millis(11));
        let changes = book.changes();
        assert_eq!(changes.expired, Expired { origins: 1, missing: 2, horizon: Timestamp::from_millis(11) });
        assert_eq!(changes.forgotten, [Arc::from("p/error/web")]);
        assert_eq!(changes.counts.accepted.total(), 3);
        assert!(matches!(book.claim(&record(1, false), Timestamp::default()), Claim::New(_)));
    }

    /// What a store holds that has applied every change.
    type Rows = BTreeMap<u64, u64>;

    fn apply(rows: &mut Rows, changes: &[IntervalChange]) {
        for change in changes {
            match change.last {
                Some(last) => rows.insert(change.first, last),
                None => rows.remove(&change.first),
            };
        }
    }

    proptest! {
        /// However a book came to be what it is, its changes lead a store to the same.
        #[test]
        fn changes_are_all_there_is(
            steps in prop::collection::vec((1u64..30, 0u8..4, any::<bool>(), any::<bool>()), 0..80),
        ) {
            let (mut book, mut finished) = (Book::default(), Rows::new());
            let (mut dead, mut unwanted) = (Rows::new(), Rows::new());
            for (n, fate, replayed, commit) in steps {
                let claim = book.claim(&record(n, replayed), Timestamp::default());
                if claim != Claim::Repeated {
                    let fate = [Fate::Accepted, Fate::Skipped, Fate::Dead, Fate::Unwanted][usize::from(fate)];
                    settle(&mut book, claim, fate, n);
                }
                if commit {
                    for origin in book.changes().origins {
                        apply(&mut finished, &origin.finished);
                        apply(&mut dead, &origin.dead);
                        apply(&mut unwanted, &origin.unwanted);
                    }
                }
            }
            let last = book.changes();
            for origin in &last.origins {
                apply(&mut finished, &origin.finished);
                apply(&mut dead, &origin.dead);
                apply(&mut unwanted, &origin.unwanted);
            }
            let state = OriginState {
                origin: "p/error/web".to_owned(),
                seen: Timestamp::default(),
                finished: finished.into_iter().collect(),
                dead: dead.into_iter().collect(),
                unwanted: unwanted.into_iter().collect(),
            };
            prop_assert_eq!(state.finished.len(), last.counts.total() + last.counts.unwanted.total());
            prop_assert_eq!(state.unwanted.len(), last.counts.unwanted.total());
            prop_assert_eq!(state.dead.len(), last.counts.rejected.total());
            let mut restored = Book::restore(last.counts, last.expired, [state]);
            for n in 1..30 {
                for replayed in [false, true] {
                    prop_assert_eq!(restored.claim(&record(n, replayed), Timestamp::default()), book.claim(&record(n, replayed), Timestamp::default()));
                }
            }
        }
    }
}
