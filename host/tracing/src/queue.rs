//! What is logged and not published yet: bounded, and never waited for.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use loghost_core::domain::Log;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) logs: usize,
    pub(crate) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { logs: 10_000, bytes: 64 * 1024 * 1024 }
    }
}

/// Where logs wait.
pub(crate) struct Queue {
    sender: Sender<Log>,
    limits: Limits,
    bytes: AtomicUsize,
    accepted: AtomicU64,
    dropped: AtomicU64,
}

impl Queue {
    /// A queue, and its end.
    pub(crate) fn new(limits: Limits) -> (Self, Receiver<Log>) {
        let (sender, receiver) = channel(limits.logs.max(1));
        let (bytes, accepted, dropped) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        (Self { sender, limits, bytes, accepted, dropped }, receiver)
    }

    /// Appends a log, or drops it.
    pub(crate) fn push(&self, log: Log) {
        let size = size(&log);
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        // It is counted before the worker can have it.
        self.accepted.fetch_add(1, Ordering::Relaxed);
        if before.saturating_add(size) > self.limits.bytes || self.sender.try_send(log).is_err() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.accepted.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that a log has left the queue.
    pub(crate) fn taken(&self, log: &Log) {
        self.bytes.fetch_sub(size(log), Ordering::Relaxed);
    }

    /// Notes a log that did not come through the queue.
    pub(crate) fn note_another(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// How many logs it has taken.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many logs it had no room for.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn size(log: &Log) -> usize {
    let attributes = log.attributes.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    size_of::<Log>() + log.message.len() + attributes
}
