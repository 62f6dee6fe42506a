//! When a frame that has begun no longer comes, as after a length that was damaged on the way. Knows no clock.

use std::time::{Duration, Instant};

/// For how long the bytes of a frame may come slower than [`BYTES`].
pub(crate) const STALL: Duration = Duration::from_secs(10);

/// How many bytes of a frame have to come in [`STALL`]. Heartbeats, which come on, are fewer: eight bytes each, at most one a
/// second.
const BYTES: usize = 1024;

/// How fast the frame comes that has begun.
#[derive(Default)]
pub(crate) struct Progress {
    /// Since when fewer than [`BYTES`] have come; none between frames.
    since: Option<Instant>,
    bytes: usize,
}

impl Progress {
    /// So many bytes were read.
    pub(crate) fn read(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes;
        if self.since.is_none() || self.bytes >= BYTES {
            *self = Self { since: Some(now), bytes: 0 };
        }
    }

    /// A frame has come whole; whether another one has begun.
    pub(crate) fn whole(&mut self, has_begun: bool, now: Instant) {
        *self = Self { since: has_begun.then_some(now), bytes: 0 };
    }

    /// When the frame counts as stalled unless more of it comes; never between frames.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + STALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_do_not_hide_that_a_frame_stalls() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut progress = Progress::default();
        assert_eq!(progress.deadline(), None);
        progress.read(100, start);
        for second in 1..10 {
            progress.read(8, after(second));
        }
        assert_eq!(progress.deadline(), Some(after(10)));
        progress.read(BYTES, after(9));
        assert_eq!(progress.deadline(), Some(after(19)));
        progress.whole(true, after(10));
        assert_eq!(progress.deadline(), Some(after(20)));
        progress.whole(false, after(11));
        assert_eq!(progress.deadline(), None);
    }
}
