//! The machine: what it is, how much of it was used, and how noisy it was meanwhile.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use super::Options;
use super::sample::{median, per_mille};
use crate::platform::process;
use crate::ui::bench::About;

/// What this machine is, and what is measured on it.
pub(super) fn about(options: &Options, broker: String) -> About {
    About {
        broker,
        processor: process::processor(),
        processors: thread::available_parallelism().ok().map(usize::from),
        runs: options.runs,
        logs: options.logs,
    }
}

/// Processor time of this process, from a moment on.
pub(super) struct ProcessTime(Option<Duration>);

impl ProcessTime {
    pub(super) fn begin() -> Self {
        Self(process::cpu_time())
    }

    /// How much was used since; none where that cannot be told.
    pub(super) fn end(&self) -> Option<Duration> {
        Some(process::cpu_time()?.saturating_sub(self.0?))
    }
}

/// How long the same computation took each time, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Calibration(Vec<f64>);

impl Calibration {
    /// Computes it once more.
    pub(super) fn take(&mut self) {
        let begin = Instant::now();
        block_in_place(|| black_box(compute(black_box(1))));
        self.0.push(begin.elapsed().as_secs_f64() * 1e3);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// None if it was never taken.
    pub(super) fn median(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| median(&self.0))
    }

    /// How much longer it took at 1 of 10 times than at the best, as a part of that; zero if it was never taken.
    pub(super) fn noise(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.first().map_or(0.0, |best| per_mille(&sorted, 900) / best - 1.0)
    }
}

/// Takes some milliseconds, and nothing but the processor.
fn compute(seed: u64) -> u64 {
    (0..2_000_000).fold(seed, |x: u64, n: u64| (x ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23))
}
