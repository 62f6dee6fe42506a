//! How much memory messages, queues and bindings take, and the alarm that blocks publishers.
//!
//! What is charged is released on drop, wherever it is then: in a queue, in an unacknowledged delivery, or in a
//! connection's outbox.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::watch;

use crate::error::{AmqpError, Code};

/// The bytes that an exchange, a queue, a binding or a consumer is charged beside its names.
const PER_THING: usize = 320;

#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicUsize,
    /// The part of `used` that does not shrink when messages are consumed.
    topology: AtomicUsize,
    high: usize,
    low: usize,
    /// A copy of the alarm that is cheap to read.
    raised: AtomicBool,
    alarm: watch::Sender<bool>,
}

/// The bytes charged for a part of the topology, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Charge {
    /// For an exchange, a queue, a binding or a consumer with `names`. All of these may take half of the
    /// threshold of the alarm, so that the alarm always ends when the messages are gone.
    pub(crate) fn new(memory: &Arc<Memory>, names: &[&str]) -> Result<Self, AmqpError> {
        let bytes = PER_THING + names.iter().map(|name| name.len()).sum::<usize>();
        let topology = memory.topology.fetch_add(bytes, SeqCst) + bytes;
        memory.charge(bytes);
        let charge = Self { memory: Arc::clone(memory), bytes };
        let most = memory.high / 2;
        if topology > most {
            return Err(AmqpError::new(
                Code::ResourceError,
                format!(
                    "exchanges, queues, bindings and consumers may take no more than {most} bytes together"
                ),
            ));
        }
        Ok(charge)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.topology.fetch_sub(self.bytes, SeqCst);
        self.memory.release(self.bytes);
    }
}

impl Memory {
    /// The alarm is raised at `high` bytes and ends below four fifths of that.
    pub(crate) fn new(high: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            topology: AtomicUsize::new(0),
            high,
            // At least a byte, so that zero bytes always end the alarm.
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
            // Checked again after the store above: a release in between saw no alarm, and did not end it.
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
