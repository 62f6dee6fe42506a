//! The channels whose messages are read without their bodies, as nobody looks at these.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The channels whose messages come without their bodies.
#[derive(Clone, Debug)]
pub struct SkipBodies(Arc<[AtomicU64]>);

impl Default for SkipBodies {
    fn default() -> Self {
        Self((0..=u16::MAX / 64).map(|_| AtomicU64::new(0)).collect())
    }
}

impl SkipBodies {
    /// Leaves the bodies out of what comes on `channel`, on which nothing has come yet.
    pub(crate) fn add(&self, channel: u16) {
        self.0[usize::from(channel / 64)].fetch_or(1 << (channel % 64), Ordering::Relaxed);
    }

    /// Leaves them where they are, on a channel that has just been opened.
    pub(crate) fn remove(&self, channel: u16) {
        self.0[usize::from(channel / 64)].fetch_and(!(1 << (channel % 64)), Ordering::Relaxed);
    }

    /// Whether bodies are left out on `channel`.
    pub(crate) fn contains(&self, channel: u16) -> bool {
        self.0[usize::from(channel / 64)].load(Ordering::Relaxed) & (1 << (channel % 64)) != 0
    }
}
