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
pub(crate) struct Deferred {
    deferred: HashMap<OrderKey, DeferredLogs>,
}

/// Those of one severity and source.
struct DeferredLogs {
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

impl Deferred {
    pub(crate) fn is_empty(&self) -> bool {
        self.deferred.is_empty()
    }

    /// Whether the logs of `key` are held back.
    pub(crate) fn holds(&self, key: &OrderKey) -> bool {
        self.deferred.contains_key(key)
    }

    /// Holds back a log that was refused.
    pub(crate) fn refuse(&mut self, key: OrderKey, number: u64, now: Instant) {
        let deferred = self.deferred.entry(key).or_insert_with(|| {
            let (waiting, delays) = (BTreeSet::new(), DELAYS.build());
            DeferredLogs {
                waiting,
                last_refused: number,
                taken: 0,
                again: Some(number),
                since: now,
                next: now,
                delays,
            }
        });
        deferred.waiting.insert(number);
        deferred.taken = 0;
        deferred.last_refused = deferred.last_refused.max(number);
        // Of those that were under way together, the first refusal decides.
        if deferred.again.take_if(|again| *again == number).is_some() {
            deferred.next = now + deferred.delays.next().unwrap_or_default();
        }
    }

    /// Holds back a log that comes after one that is held back.
    pub(crate) fn add(&mut self, key: &OrderKey, number: u64) {
        if let Some(deferred) = self.deferred.get_mut(key) {
            deferred.waiting.insert(number);
        }
    }

    /// Notes that a log was taken; returns what is no longer held back.
    pub(crate) fn taken(&mut self, key: &OrderKey, number: u64, now: Instant) -> BTreeSet<u64> {
        let Some(deferred) = self.deferred.get_mut(key) else { return BTreeSet::new() };
        deferred.since = now;
        if deferred.again.take_if(|again| *again == number).is_some() {
            deferred.next = now;
            deferred.delays = DELAYS.build();
            deferred.taken += 1;
        }
        let has_room = |first: &u64| *first > deferred.last_refused && deferred.taken >= ENOUGH;
        if deferred.again.is_none() && deferred.waiting.first().is_none_or(has_room) {
            return self.deferred.remove(key).map(|deferred| deferred.waiting).unwrap_or_default();
        }
        BTreeSet::new()
    }

    /// What can be sent again now.
    pub(crate) fn due(&self, now: Instant) -> Option<u64> {
        let due = self.idle().filter(|deferred| deferred.next <= now);
        due.filter_map(|deferred| deferred.waiting.first().copied()).min()
    }

    /// When something can be sent again.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.idle().map(|deferred| deferred.next).min()
    }

    fn idle(&self) -> impl Iterator<Item = &DeferredLogs> {
        self.deferred.values().filter(|deferred| deferred.again.is_none())
    }

    /// Notes that a log of `key` is sent again.
    pub(crate) fn begin(&mut self, key: &OrderKey, number: u64) {
        if let Some(deferred) = self.deferred.get_mut(key)
            && deferred.waiting.remove(&number)
        {
            deferred.again = Some(number);
        }
    }

    /// What was sent again has no answer, and will have none: there was no connection for a while, and nobody refused.
    pub(crate) fn lose_answers(&mut self, now: Instant) {
        for deferred in self.deferred.values_mut() {
            deferred.waiting.extend(deferred.again.take());
            deferred.since = now;
        }
    }

    /// Whether one is held back.
    pub(crate) fn has(&self, key: &OrderKey, number: u64) -> bool {
        self.deferred.get(key).is_some_and(|deferred| deferred.waiting.contains(&number))
    }

    /// Whether a severity and source has been refused for as long as `timeout`.
    pub(crate) fn is_overdue(&self, timeout: Duration, now: Instant) -> bool {
        self.deferred.values().any(|deferred| now.duration_since(deferred.since) >= timeout)
    }

    /// Takes out all that waits.
    pub(crate) fn take_waiting(&mut self) -> Vec<u64> {
        let waiting =
            self.deferred.values_mut().flat_map(|deferred| std::mem::take(&mut deferred.waiting)).collect();
        self.deferred.retain(|_, deferred| deferred.again.is_some());
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: OrderKey = (Severity::Error, None);

    #[test]
    fn what_was_refused_goes_first_and_one_at_a_time() {
        let (mut deferred, now) = (Deferred::default(), Instant::now());
        for number in [5, 3, 4] {
            deferred.refuse(KEY, number, now);
        }
        deferred.add(&KEY, 6);
        assert_eq!(deferred.due(now), None, "not at once");
        let now = deferred.due_at().unwrap();
        for number in [3, 4, 5] {
            assert_eq!(deferred.due(now), Some(number));
            deferred.begin(&KEY, number);
            assert_eq!(deferred.due(now), None, "one at a time");
            assert!(deferred.taken(&KEY, number, now).is_empty());
        }
        assert_eq!(deferred.due(now), Some(6), "also what came after them");
        deferred.begin(&KEY, 6);
        deferred.taken(&KEY, 6, now);
        assert!(deferred.is_empty());
    }

    #[test]
    fn several_go_at_once_when_enough_were_taken() {
        let (mut deferred, now) = (Deferred::default(), Instant::now());
        let enough = u64::try_from(ENOUGH).unwrap();
        deferred.refuse(KEY, 1, now);
        for number in 2..=enough + 2 {
            deferred.add(&KEY, number);
        }
        let now = deferred.due_at().unwrap();
        for number in 1..enough {
            deferred.begin(&KEY, number);
            assert!(deferred.taken(&KEY, number, now).is_empty());
        }
        deferred.begin(&KEY, enough);
        assert_eq!(deferred.taken(&KEY, enough, now), BTreeSet::from([enough + 1, enough + 2]));
        assert!(deferred.is_empty());
    }

    #[test]
    fn the_delay_grows_until_one_is_taken() {
        let (mut deferred, began) = (Deferred::default(), Instant::now());
        deferred.refuse(KEY, 1, began);
        let mut now = began;
        for _ in 0..6 {
            now = deferred.due_at().unwrap();
            deferred.begin(&KEY, 1);
            deferred.refuse(KEY, 1, now);
        }
        let timeout = Duration::from_secs(3);
        assert!(deferred.is_overdue(timeout, now) && !deferred.is_overdue(timeout, began));
        let now = deferred.due_at().unwrap();
        deferred.begin(&KEY, 1);
        deferred.lose_answers(now);
        assert_eq!(deferred.due(now), Some(1), "its answer was lost");
        assert!(!deferred.is_overdue(timeout, now), "nobody refused it");
        deferred.begin(&KEY, 1);
        deferred.taken(&KEY, 1, now);
        assert!(deferred.is_empty() && deferred.due_at().is_none());
    }
}
