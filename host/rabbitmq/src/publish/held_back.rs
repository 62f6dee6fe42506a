//! What the broker has refused, most likely because a queue is full: held back, with what comes after it of the
//! same severity and source, and sent again, one at a time and in order, until the broker takes them again.
//!
//! Knows the numbers of the logs, and times; nothing of messages and channels.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use loghost_core::domain::{Severity, Source};
use tokio::time::Instant;

use crate::connection::reconnect::DELAYS;

/// How many must be taken one after another before several are sent at once: if the queue is still full, these would get
/// out of order.
const ENOUGH: usize = 64;

/// Logs with the same key are published in order.
pub(crate) type OrderKey = (Severity, Option<Source>);

/// The logs that are held back.
#[derive(Default)]
pub(crate) struct HeldBack {
    held: HashMap<OrderKey, Held>,
}

/// Those of one severity and source.
struct Held {
    /// What waits to be sent.
    waiting: BTreeSet<u64>,
    /// The last that was refused.
    last_refused: u64,
    /// How many were taken since, one at a time.
    taken: usize,
    /// What is sent again, and has no answer.
    again: Option<u64>,
    /// When one was refused for the first time since one was taken.
    since: Instant,
    /// When the next is sent again.
    next: Instant,
    delays: ExponentialBackoff,
}

impl HeldBack {
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether the logs of `key` are held back.
    pub(crate) fn holds(&self, key: &OrderKey) -> bool {
        self.held.contains_key(key)
    }

    /// Holds back a log that was refused.
    pub(crate) fn refuse(&mut self, key: OrderKey, number: u64, now: Instant) {
        let held = self.held.entry(key).or_insert_with(|| {
            let (waiting, delays) = (BTreeSet::new(), DELAYS.build());
            Held {
                waiting,
                last_refused: number,
                taken: 0,
                again: Some(number),
                since: now,
                next: now,
                delays,
            }
        });
        held.waiting.insert(number);
        held.taken = 0;
        held.last_refused = held.last_refused.max(number);
        // Of those that were under way together, the first refusal decides.
        if held.again.take_if(|again| *again == number).is_some() {
            held.next = now + held.delays.next().unwrap_or_default();
        }
    }

    /// Holds back a log that comes after one that is held back.
    pub(crate) fn add(&mut self, key: &OrderKey, number: u64) {
        if let Some(held) = self.held.get_mut(key) {
            held.waiting.insert(number);
        }
    }

    /// Notes that a log was taken; returns what is no longer held back.
    pub(crate) fn taken(&mut self, key: &OrderKey, number: u64, now: Instant) -> BTreeSet<u64> {
        let Some(held) = self.held.get_mut(key) else { return BTreeSet::new() };
        held.since = now;
        if held.again.take_if(|again| *again == number).is_some() {
            held.next = now;
            held.delays = DELAYS.build();
            held.taken += 1;
        }
        let has_room = |first: &u64| *first > held.last_refused && held.taken >= ENOUGH;
        if held.again.is_none() && held.waiting.first().is_none_or(has_room) {
            return self.held.remove(key).map(|held| held.waiting).unwrap_or_default();
        }
        BTreeSet::new()
    }

    /// What can be sent again now.
    pub(crate) fn due(&self, now: Instant) -> Option<u64> {
        let due = self.idle().filter(|held| held.next <= now);
        due.filter_map(|held| held.waiting.first().copied()).min()
    }

    /// When something can be sent again.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.idle().map(|held| held.next).min()
    }

    fn idle(&self) -> impl Iterator<Item = &Held> {
        self.held.values().filter(|held| held.again.is_none())
    }

    /// Notes that a log of `key` is sent again.
    pub(crate) fn begin(&mut self, key: &OrderKey, number: u64) {
        if let Some(held) = self.held.get_mut(key)
            && held.waiting.remove(&number)
        {
            held.again = Some(number);
        }
    }

    /// What was sent again has no answer, and will have none: there was no connection for a while, and nobody refused.
    pub(crate) fn lose_answers(&mut self, now: Instant) {
        for held in self.held.values_mut() {
            held.waiting.extend(held.again.take());
            held.since = now;
        }
    }

    /// Whether one is held back.
    pub(crate) fn has(&self, key: &OrderKey, number: u64) -> bool {
        self.held.get(key).is_some_and(|held| held.waiting.contains(&number))
    }

    /// Whether a severity and source has been refused for as long as `timeout`.
    pub(crate) fn is_overdue(&self, timeout: Duration, now: Instant) -> bool {
        self.held.values().any(|held| now.duration_since(held.since) >= timeout)
    }

    /// Takes out all that waits.
    pub(crate) fn take_waiting(&mut self) -> Vec<u64> {
        let waiting = self.held.values_mut().flat_map(|held| std::mem::take(&mut held.waiting)).collect();
        self.held.retain(|_, held| held.again.is_some());
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: OrderKey = (Severity::Error, None);

    #[test]
    fn what_was_refused_goes_first_and_one_at_a_time() {
        let (mut held, now) = (HeldBack::default(), Instant::now());
        for number in [5, 3, 4] {
            held.refuse(KEY, number, now);
        }
        held.add(&KEY, 6);
        assert_eq!(held.due(now), None, "not at once");
        let now = held.due_at().unwrap();
        for number in [3, 4, 5] {
            assert_eq!(held.due(now), Some(number));
            held.begin(&KEY, number);
            assert_eq!(held.due(now), None, "one at a time");
            assert!(held.taken(&KEY, number, now).is_empty());
        }
        assert_eq!(held.due(now), Some(6), "also what came after them");
        held.begin(&KEY, 6);
        held.taken(&KEY, 6, now);
        assert!(held.is_empty());
    }

    #[test]
    fn several_go_at_once_when_enough_were_taken() {
        let (mut held, now) = (HeldBack::default(), Instant::now());
        let enough = u64::try_from(ENOUGH).unwrap();
        held.refuse(KEY, 1, now);
        for number in 2..=enough + 2 {
            held.add(&KEY, number);
        }
        let now = held.due_at().unwrap();
        for number in 1..enough {
            held.begin(&KEY, number);
            assert!(held.taken(&KEY, number, now).is_empty());
        }
        held.begin(&KEY, enough);
        assert_eq!(held.taken(&KEY, enough, now), BTreeSet::from([enough + 1, enough + 2]));
        assert!(held.is_empty());
    }

    #[test]
    fn the_delay_grows_until_one_is_taken() {
        let (mut held, began) = (HeldBack::default(), Instant::now());
        held.refuse(KEY, 1, began);
        let mut now = began;
        for _ in 0..6 {
            now = held.due_at().unwrap();
            held.begin(&KEY, 1);
            held.refuse(KEY, 1, now);
        }
        let timeout = Duration::from_secs(3);
        assert!(held.is_overdue(timeout, now) && !held.is_overdue(timeout, began));
        let now = held.due_at().unwrap();
        held.begin(&KEY, 1);
        held.lose_answers(now);
        assert_eq!(held.due(now), Some(1), "its answer was lost");
        assert!(!held.is_overdue(timeout, now), "nobody refused it");
        held.begin(&KEY, 1);
        held.taken(&KEY, 1, now);
        assert!(held.is_empty() && held.due_at().is_none());
    }
}
