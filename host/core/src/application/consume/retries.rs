//! Logs that wait for another attempt: in memory, and unacknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::process::Task;
use crate::application::ports::Receipt;

/// The delay before the second attempt; it doubles with each one after.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest that a log is held in all: a broker closes a channel that holds a delivery for long
/// (`RabbitMQ`: 30 minutes).
const LONGEST: Duration = Duration::from_mins(5);

/// The logs that are held, in the order of their receipts.
#[derive(Debug)]
pub(super) struct Retries {
    /// How many attempts a log has after its first.
    attempts: u32,
    /// With the time of the next attempt.
    held: BTreeMap<Receipt, (Instant, Task)>,
    /// When each was held for the first time, and how often since; also while it is being tried again.
    history: BTreeMap<Receipt, (Instant, u32)>,
}

impl Retries {
    pub(super) fn new(attempts: u32) -> Self {
        Self { attempts, held: BTreeMap::new(), history: BTreeMap::new() }
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// When the next attempt is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.values().map(|(due, _)| *due).min()
    }

    /// Holds a log for its next attempt, or gives it back if it has had enough of them.
    pub(super) fn hold(&mut self, mut task: Task, now: Instant) -> Option<Task> {
        let (since, tries) = self.history.entry(task.handle.receipt).or_insert((now, 0));
        let delay = FIRST_DELAY * 2u32.saturating_pow((*tries).min(16));
        if *tries >= self.attempts || now + delay > *since + LONGEST {
            return Some(task);
        }
        *tries += 1;
        task.record.attempt = task.record.attempt.saturating_add(1);
        self.held.insert(task.handle.receipt, (now + delay, task));
        None
    }

    /// Forgets a log that is finished.
    pub(super) fn forget(&mut self, receipt: Receipt) {
        self.history.remove(&receipt);
    }

    /// Forgets all: they will be delivered again.
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.history.clear();
    }

    /// Takes out what is due, at most `max` logs.
    pub(super) fn take_due(&mut self, now: Instant, max: usize) -> Vec<Task> {
        let due = self.held.iter().filter(|(_, (due, _))| *due <= now).map(|(receipt, _)| *receipt);
        let due: Vec<Receipt> = due.take(max).collect();
        due.into_iter().filter_map(|receipt| Some(self.held.remove(&receipt)?.1)).collect()
    }
}
