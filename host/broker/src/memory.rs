//! How much the messages take, and the alarm that holds publishers back.
//!
//! Knows bytes only. Messages charge themselves on creation and release on drop, wherever they were
//! last: a queue, an unacknowledged delivery, a connection's outgoing buffer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicUsize,
    high: usize,
    low: usize,
    /// A copy of the alarm that costs nothing to look at.
    raised: AtomicBool,
    alarm: watch::Sender<bool>,
}

impl Memory {
    /// The alarm is raised at `high` bytes and ends below four fifths of that.
    pub(crate) fn new(high: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            high,
            // At least a byte, so that nothing at all is always little enough.
            low: (high - high / 5).max(1),
            raised: AtomicBool::new(false),
            alarm: watch::Sender::new(false),
        }
    }

    /// Follows the alarm: true while publishers are to wait.
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.alarm.subscribe()
    }

    pub(crate) fn is_short(&self) -> bool {
        self.raised.load(SeqCst)
    }

    pub(crate) fn charge(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, SeqCst) + bytes;
        if used >= self.high && !self.is_short() {
            self.evaluate();
        }
    }

    pub(crate) fn release(&self, bytes: usize) {
        let used = self.used.fetch_sub(bytes, SeqCst) - bytes;
        if used < self.low && self.is_short() {
            self.evaluate();
        }
    }

    fn evaluate(&self) {
        self.alarm.send_if_modified(|on| {
            let before = *on;
            if !*on && self.used.load(SeqCst) >= self.high {
                *on = true;
                self.raised.store(true, SeqCst);
            }
            // Looked at again after the store above: whoever released in between saw no alarm and
            // will not come back to end it.
            if *on && self.used.load(SeqCst) < self.low {
                *on = false;
                self.raised.store(false, SeqCst);
            }
            *on != before
        });
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarm_has_hysteresis() {
        let memory = Memory::new(1000);
        let alarm = memory.subscribe();
        memory.charge(999);
        assert!(!*alarm.borrow());
        memory.charge(1);
        assert!(*alarm.borrow() && memory.is_short());
        memory.release(200);
        assert!(*alarm.borrow(), "800 is not below four fifths");
        memory.release(1);
        assert!(!*alarm.borrow() && !memory.is_short());
    }
}
