//! How a consumer is run in tests.

use std::time::Duration;

use crate::application::{Batching, ConsumeOptions, SavedState, Tolerance};

/// Small limits, two retries, and a commit as soon as there is something to commit.
pub fn options() -> ConsumeOptions {
    ConsumeOptions {
        max_batch: 10,
        batching: Batching::Arrived,
        every: Duration::from_secs(1),
        max_logs: None,
        max_retries: 2,
        max_waiting: 10,
        pace: Duration::ZERO,
        tolerance: Tolerance { failures: 3, window: 4 },
        probe: None,
        forget_after: Duration::from_hours(1),
        publish_within: Duration::from_secs(5),
        state: SavedState::Restored,
        tracing: None,
    }
}
