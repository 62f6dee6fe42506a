//! Whether the loops of consumers go on: each on a thread of its own, which a plugin's call has for as long as it may take.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loghost_core::domain::ConsumerName;

/// The loops that run.
pub(crate) struct Loops {
    /// How much longer than its calls a loop may take before it is stuck.
    margin: Duration,
    running: Mutex<HashMap<ConsumerName, Loop>>,
}

/// A loop, and when it last went on.
struct Loop {
    last: Instant,
    call_limit: Duration,
}

/// How many calls follow upon each other without a word: a new instance is configured, restored, and shown logs.
const CALLS: u32 = 3;

impl Loops {
    /// None yet. One is stuck if it takes so much longer than its calls may.
    pub(crate) fn new(margin: Duration) -> Self {
        Self { margin, running: Mutex::default() }
    }

    /// The loop of a consumer begins, each call of which is limited to this time.
    pub(crate) fn begin(&self, consumer: &ConsumerName, call_limit: Duration, now: Instant) {
        self.running().insert(consumer.clone(), Loop { last: now, call_limit });
    }

    /// It goes on, if it has begun.
    pub(crate) fn goes_on(&self, consumer: &ConsumerName, now: Instant) {
        if let Some(running) = self.running().get_mut(consumer) {
            running.last = now;
        }
    }

    /// It has ended.
    pub(crate) fn end(&self, consumer: &ConsumerName) {
        self.running().remove(consumer);
    }

    /// A consumer whose loop is stuck, if there is one.
    pub(crate) fn stuck(&self, now: Instant) -> Option<ConsumerName> {
        let is_stuck = |it: &Loop| {
            let allowed = it.call_limit.saturating_mul(CALLS).saturating_add(self.margin);
            now.saturating_duration_since(it.last) > allowed
        };
        self.running().iter().find(|(_, it)| is_stuck(it)).map(|(consumer, _)| consumer.clone())
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ConsumerName, Loop>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_longer_than_its_calls_may_is_stuck() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let (quick, slow) = (ConsumerName::new("quick").unwrap(), ConsumerName::new("slow").unwrap());
        let loops = Loops::new(Duration::from_secs(10));
        loops.begin(&quick, Duration::from_secs(1), begun);
        loops.begin(&slow, Duration::from_mins(1), begun);
        assert_eq!(loops.stuck(at(13)), None);
        assert_eq!(loops.stuck(at(14)), Some(quick.clone()));
        loops.goes_on(&quick, at(14));
        assert_eq!(loops.stuck(at(27)), None);
        loops.end(&quick);
        assert_eq!(loops.stuck(at(190)), None);
        assert_eq!(loops.stuck(at(191)), Some(slow.clone()));
        loops.end(&slow);
        // One that has ended does not begin by a late word.
        loops.goes_on(&slow, at(191));
        assert_eq!(loops.stuck(at(10_000)), None);
    }
}
