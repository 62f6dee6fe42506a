//! Whether the system's clock leaps, and the clocks of a scenario.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use loghost_core::application::{Clock, ClockLeap};
use loghost_core::domain::Timestamp;

/// Compares the system's clock with the monotonic one, which nobody sets.
#[derive(Debug)]
pub(crate) struct LeapWatch {
    clock: SystemTime,
    steady: Instant,
}

impl LeapWatch {
    /// Less is no leap: clocks are kept right by small steps, and reading them takes its time.
    const TOLERANCE: Duration = Duration::from_secs(3);

    /// Takes both clocks as they are.
    pub(crate) fn new() -> Self {
        Self { clock: SystemTime::now(), steady: Instant::now() }
    }

    /// How far the clock has leapt since the last look, if it has.
    pub(crate) fn look(&mut self) -> Option<ClockLeap> {
        let before = std::mem::replace(self, Self::new());
        let passed = self.steady.duration_since(before.steady);
        let leap = match self.clock.duration_since(before.clock) {
            Ok(shown) => match shown.checked_sub(passed) {
                Some(more) => ClockLeap::Forward(more),
                None => ClockLeap::Back(passed.saturating_sub(shown)),
            },
            Err(back) => ClockLeap::Back(passed + back.duration()),
        };
        let (ClockLeap::Forward(by) | ClockLeap::Back(by)) = leap;
        (by > Self::TOLERANCE).then_some(leap)
    }
}

/// When every scenario begins: 2026-01-01T00:00:00Z.
const SCENARIO_START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The clock of a scenario's producer: each reading is a millisecond after the one before.
#[derive(Debug)]
pub(crate) struct ScenarioClock(AtomicU64);

impl ScenarioClock {
    /// A clock that is about to show the scenario's start.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(SCENARIO_START.as_millis()))
    }
}

impl Clock for ScenarioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// The clock of a scenario's consumer: shows the time of the latest log that it has been given.
#[derive(Clone, Debug)]
pub(crate) struct ReplayClock(Arc<AtomicU64>);

impl ReplayClock {
    /// A clock that shows the scenario's start.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(SCENARIO_START.as_millis())))
    }
}

impl Clock for ReplayClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn observe_timestamp(&self, latest: Timestamp) {
        self.0.fetch_max(latest.as_millis(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_is_what_no_time_passed_for() {
        let hour = Duration::from_hours(1);
        let leap = |clock: SystemTime| LeapWatch { clock, steady: Instant::now() }.look();
        let is_about = |by: Duration| by.abs_diff(hour) < Duration::from_mins(1);
        let now = SystemTime::now();
        assert_eq!(leap(now), None);
        assert!(matches!(leap(now - hour), Some(ClockLeap::Forward(by)) if is_about(by)));
        assert!(matches!(leap(now + hour), Some(ClockLeap::Back(by)) if is_about(by)));
    }

    #[test]
    fn scenarios_begin_with_the_year() {
        let days = (2026 - 1970) * 365 + 14;
        assert_eq!(SCENARIO_START.as_millis(), days * 24 * 60 * 60 * 1000);
    }
}
