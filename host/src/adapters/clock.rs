//! Clocks: the system's, and one that follows a scenario.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use loghost_core::application::Clock;
use loghost_core::domain::Timestamp;

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock that is set before 1970 shows the epoch.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
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

    fn witness(&self, latest: Timestamp) {
        self.0.fetch_max(latest.as_millis(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_begin_with_the_year() {
        let days = (2026 - 1970) * 365 + 14;
        assert_eq!(SCENARIO_START.as_millis(), days * 24 * 60 * 60 * 1000);
    }
}
