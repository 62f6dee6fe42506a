//! Timers: when a queue has to be checked though no method asks for it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::Notify, time::Instant};

use super::{BrokerState, arena::Key, queue::Queue};

/// Milliseconds since the broker started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// A time to live, in milliseconds: `RabbitMQ` allows for no more either.
pub(crate) type Millis = u32;

#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// Each queue at most once, at its `look_at`.
    due: BTreeSet<(Moment, Key<Queue>)>,
    /// Notified when something is due earlier than `tick` returned.
    wake: Arc<Notify>,
}

impl Moment {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn after(self, millis: Millis) -> Self {
        Self(self.0.saturating_add(millis.into()))
    }
}

impl Clock {
    pub(crate) fn now(&self) -> Moment {
        Moment(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Changes the time at which a queue is checked.
    pub(super) fn reschedule(&mut self, queue: Key<Queue>, before: Moment, at: Moment) {
        self.due.remove(&(before, queue));
        if at == Moment::NEVER {
            return;
        }
        self.due.insert((at, queue));
        if self.due.first() == Some(&(at, queue)) {
            self.wake.notify_one();
        }
    }

    fn take_due(&mut self, now: Moment) -> Option<Key<Queue>> {
        self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first().map(|(_, queue)| queue)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { began: Instant::now(), due: BTreeSet::new(), wake: Arc::default() }
    }
}

impl BrokerState {
    /// Wakes the task that calls `tick`.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.clock.wake)
    }

    /// Carries out everything that is due. Returns when to call it again, unless woken before.
    pub(crate) fn tick(&mut self) -> Option<Instant> {
        let now = self.clock.now();
        while let Some(key) = self.clock.take_due(now) {
            let Some(queue) = self.queues.get_mut(key) else {
                continue;
            };
            queue.look_at = Moment::NEVER;
            if queue.unused_from().is_some_and(|unused| unused <= now) {
                self.drop_queue(key);
            } else {
                self.dispatch(key);
            }
        }
        let Moment(next) = self.clock.due.first()?.0;
        Some(self.clock.began + Duration::from_millis(next))
    }
}
