//! Pausing before the next read, so that more arrives and is read at once.
//!
//! A broker sends a few messages at a time. Each time, several threads wake up one after the other: the runtime's, the
//! client's, the consumer's, and the client's again for the acknowledgement. At a medium rate this costs more than the
//! messages themselves. So there are two pauses, each of which is made only if what was read last says that more is about
//! to come: one before reading bytes from the socket, which blocks the client's own thread, and one before taking
//! deliveries from the client, which is awaited.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// The pause before reading bytes.
const BYTES: Duration = Duration::from_millis(1);

/// The bytes a second at which that pause is made: from some 3,000 logs to some 100,000. At a higher rate there is always
/// something to read.
const RATES: Range<u128> = 1_000_000..40_000_000;

/// How long the rate is measured.
const MEASURED: Duration = Duration::from_millis(2);

/// The pause before taking deliveries.
const DELIVERIES: Duration = Duration::from_micros(500);

/// The deliveries that are taken at once from which that pause is made: taking them one by one contends with the thread
/// that fills the client's stream.
const BURST: usize = 64;

/// A pause before the next read, if one is worth while.
#[derive(Debug)]
pub(crate) struct Gather {
    pause: Duration,
    is_worth_while: bool,
}

impl Gather {
    /// A pause before reading bytes; none until [`ByteRate`] says so.
    pub(crate) fn bytes() -> Self {
        Self { pause: BYTES, is_worth_while: false }
    }

    /// A pause before taking deliveries; none until [`is_burst`] says so.
    pub(crate) fn deliveries() -> Self {
        Self { pause: DELIVERIES, is_worth_while: false }
    }

    /// Notes whether what was read says that a pause before the next read is worth while.
    pub(crate) fn note(&mut self, is_worth_while: bool) {
        self.is_worth_while = is_worth_while;
    }

    /// Blocks the thread for what is left of the pause, which began when something was `read_at` last. The thread must
    /// not be one of the asynchronous runtime: others would wait as well.
    pub(crate) fn block(&self, read_at: Instant) {
        if self.is_worth_while
            && let Some(left) = self.pause.checked_sub(read_at.elapsed())
        {
            debug_assert!(Handle::try_current().is_err(), "a thread of the asynchronous runtime is blocked");
            thread::sleep(left);
        }
    }

    /// Waits for the pause, once. If the future is dropped, the pause is over.
    pub(crate) async fn wait(&mut self) {
        if std::mem::take(&mut self.is_worth_while) {
            tokio::time::sleep(self.pause).await;
        }
    }
}

/// How many bytes are read in a second.
#[derive(Debug)]
pub(crate) struct ByteRate {
    bytes: usize,
    since: Instant,
}

impl ByteRate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { bytes: 0, since: now }
    }

    /// Notes that so many bytes were read; whether a pause is worth while, if the rate was measured for long enough.
    pub(crate) fn note(&mut self, bytes: usize, now: Instant) -> Option<bool> {
        self.bytes += bytes;
        let elapsed = now - self.since;
        if elapsed < MEASURED {
            return None;
        }
        let is_worth_while =
            RATES.contains(&(self.bytes as u128 * 1_000_000_000 / elapsed.as_nanos().max(1)));
        *self = Self::new(now);
        Some(is_worth_while)
    }
}

/// Whether so many deliveries, of `max` that would have been taken at once, are a burst: more are about to come, and none
/// were left.
pub(crate) fn is_burst(taken: usize, max: usize) -> bool {
    taken >= BURST && taken < max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_gather_at_a_medium_rate_only() {
        for (logs, expected) in [(1, false), (1_000, false), (10_000, true), (50_000, true), (300_000, false)]
        {
            let now = Instant::now();
            let noted = ByteRate::new(now).note(logs * 350, now + Duration::from_secs(1));
            assert_eq!(noted, Some(expected), "{logs} logs a second");
        }
    }

    #[test]
    fn the_rate_is_measured_anew_each_time() {
        let now = Instant::now();
        let mut rate = ByteRate::new(now);
        assert_eq!(rate.note(40_000, now + MEASURED / 2), None);
        assert_eq!(rate.note(0, now + MEASURED), Some(true));
        assert_eq!(rate.note(1, now + MEASURED * 2), Some(false));
    }

    #[test]
    fn deliveries_gather_after_a_burst_that_left_none() {
        assert_eq!([BURST - 1, BURST, 256].map(|taken| is_burst(taken, 256)), [false, true, false]);
    }

    #[test]
    fn the_thread_is_blocked_for_what_is_left_of_the_pause() {
        let mut gather = Gather { pause: Duration::from_millis(20), is_worth_while: true };
        let read_at = Instant::now();
        // The time itself is what is tested.
        gather.block(read_at);
        assert!(read_at.elapsed() >= gather.pause);
        gather.pause = Duration::from_hours(1);
        gather.note(false);
        gather.block(read_at);
    }

    #[tokio::test]
    #[should_panic(expected = "a thread of the asynchronous runtime is blocked")]
    async fn no_thread_of_the_runtime_is_blocked() {
        Gather { pause: Duration::from_hours(1), is_worth_while: true }.block(Instant::now());
    }
}
