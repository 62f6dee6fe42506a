//! What a book has of all origins: which there are, under which numbers, and which have changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::{iter, mem};

use super::origin::Origin;
use super::tracked::Tracked;
use super::{Expired, OriginChange, OriginState};
use crate::domain::{Record, Timestamp};

/// The origins of a book.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    /// By number, as in `index`; none where an origin has expired.
    slots: Vec<Option<Origin>>,
    index: HashMap<Arc<str>, usize>,
    /// The numbers of those that changed since the last [`Origins::changes`].
    changed: BTreeSet<usize>,
    /// Those that were expired since then.
    forgotten: Vec<Arc<str>>,
    /// The key and number of the origin that was looked up last: the next log is likely to have the same.
    key: String,
    last: Option<usize>,
}

impl Origins {
    pub(super) fn restore(states: impl IntoIterator<Item = OriginState>) -> Self {
        let mut origins = Self::default();
        for state in states {
            let key: Arc<str> = state.origin.into();
            let origin = Origin {
                key: Arc::clone(&key),
                finished: state.finished.into(),
                dead: state.dead.into(),
                unwanted: state.unwanted.into(),
                seen: state.seen,
            };
            origins.index.insert(key, origins.slots.len());
            origins.slots.push(Some(origin));
        }
        origins
    }

    /// The origin of this number, unless it has expired.
    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Origin> {
        self.slots.get_mut(number)?.as_mut()
    }

    /// Notes that the origin of this number has changed.
    pub(super) fn mark_changed(&mut self, number: usize) {
        self.changed.insert(number);
    }

    /// The latest time at which one was seen.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.slots.iter().flatten().map(|origin| origin.seen).max()
    }

    /// The number of the origin of a log; a new one if it is not known.
    pub(super) fn number_of(&mut self, producer: &str, record: &Record) -> usize {
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
            self.slots.iter().position(Option::is_none).filter(|_| self.index.len() < self.slots.len());
        let number = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[number] = Some(origin);
        self.index.insert(key, number);
        number
    }

    /// Removes those that were last seen before `horizon` and have no logs under way; enters them in `expired`.
    pub(super) fn expire(
        &mut self,
        horizon: Timestamp,
        is_under_way: impl Fn(usize) -> bool,
        expired: &mut Expired,
    ) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
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
            expired.origins += 1;
            // Forged ids can make the sum overflow.
            expired.missing = expired.missing.saturating_add(missing);
            expired.horizon = expired.horizon.max(horizon);
            self.forgotten.push(origin.key);
        }
    }

    /// What has changed since the last call, and which have expired.
    pub(super) fn changes(&mut self) -> (Vec<OriginChange>, Vec<Arc<str>>) {
        let Self { slots, changed, .. } = self;
        let changes = iter::from_fn(|| changed.pop_first()).filter_map(|number| {
            let origin = slots[number].as_mut()?;
            Some(OriginChange {
                origin: Arc::clone(&origin.key),
                seen: origin.seen,
                finished: origin.finished.changes(),
                dead: origin.dead.changes(),
                unwanted: origin.unwanted.changes(),
            })
        });
        (changes.collect(), mem::take(&mut self.forgotten))
    }
}

/// Whether `text` consists of these parts, in their order.
fn is_made_of(text: &str, parts: [&str; 5]) -> bool {
    parts.into_iter().try_fold(text, |rest, part| rest.strip_prefix(part)).is_some_and(str::is_empty)
}
