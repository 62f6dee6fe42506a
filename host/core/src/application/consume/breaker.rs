//! When a consumer has failed so often that the fault is its own, not that of single logs.

use std::collections::VecDeque;

/// How many of its last logs a consumer may fail at before it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// This many failures...
    pub failures: usize,
    /// ...among this many logs are too many.
    pub window: usize,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { failures: 25, window: 30 }
    }
}

/// What became of the last logs.
#[derive(Debug)]
pub(super) struct Breaker {
    tolerance: Tolerance,
    /// Whether each failed.
    recent: VecDeque<bool>,
}

impl Breaker {
    pub(super) fn new(tolerance: Tolerance) -> Self {
        Self { tolerance, recent: VecDeque::new() }
    }

    /// Notes that so many logs went well.
    pub(super) fn passed(&mut self, logs: usize) {
        for _ in 0..logs.min(self.tolerance.window) {
            self.note(false);
        }
    }

    /// Notes that one failed; returns whether that is too much.
    pub(super) fn failed(&mut self) -> bool {
        self.note(true);
        self.recent.iter().filter(|failed| **failed).count() >= self.tolerance.failures
    }

    /// Forgets all.
    pub(super) fn reset(&mut self) {
        self.recent.clear();
    }

    fn note(&mut self, failed: bool) {
        self.recent.push_back(failed);
        if self.recent.len() > self.tolerance.window {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_most_of_the_recent_logs() {
        let mut breaker = Breaker::new(Tolerance { failures: 3, window: 5 });
        breaker.passed(1000);
        assert!(!breaker.failed() && !breaker.failed());
        breaker.passed(3);
        assert!(!breaker.failed(), "two of them are long past");
        assert!(!breaker.failed());
        assert!(breaker.failed());
        breaker.reset();
        assert!(!breaker.failed());
    }
}
