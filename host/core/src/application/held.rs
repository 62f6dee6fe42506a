//! Logs that wait for another attempt: in memory, and unacknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::ports::Receipt;
use crate::domain::Record;

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
    held: BTreeMap<Receipt, (Instant, Record)>,
    /// When each was held for the first time; also while it is being tried again.
    since: BTreeMap<Receipt, Instant>,
}

impl Retries {
    pub(super) fn new(attempts: u32) -> Self {
        Self { attempts, held: BTreeMap::new(), since: BTreeMap::new() }
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no log waits for another attempt, or is being tried again.
    pub(super) fn is_idle(&self) -> bool {
        self.since.is_empty()
    }

    /// When the next attempt is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.values().map(|(due, _)| *due).min()
    }

    /// Holds a log for its next attempt, or gives it back if it has had enough of them.
    pub(super) fn hold(&mut self, receipt: Receipt, mut record: Record, now: Instant) -> Option<Record> {
        let since = *self.since.entry(receipt).or_insert(now);
        let delay = FIRST_DELAY * 2u32.saturating_pow(record.attempt.saturating_sub(1).min(16));
        if record.attempt > self.attempts || now + delay > since + LONGEST {
            return Some(record);
        }
        record.attempt += 1;
        self.held.insert(receipt, (now + delay, record));
        None
    }

    /// Forgets a log that is finished.
    pub(super) fn forget(&mut self, receipt: Receipt) {
        self.since.remove(&receipt);
    }

    /// Takes out what is due, at most `max` logs.
    pub(super) fn take_due(&mut self, now: Instant, max: usize) -> Vec<(Receipt, Record)> {
        let due: Vec<Receipt> = self
            .held
            .iter()
            .filter(|(_, (due, _))| *due <= now)
            .map(|(receipt, _)| *receipt)
            .take(max)
            .collect();
        due.into_iter().filter_map(|receipt| Some((receipt, self.held.remove(&receipt)?.1))).collect()
    }
}
