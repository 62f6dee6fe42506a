//! How a consumer is run.

use std::time::Duration;

use super::breaker::Tolerance;
use super::commits::Pace;
use crate::domain::Tracing;

/// How a consumer is run.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// The most logs that are taken, processed and acknowledged together; at least 1.
    pub max_batch: usize,
    /// When a batch is complete.
    pub batching: Batching,
    /// The least time between two metrics.
    pub every: Duration,
    /// How many logs to count before ending.
    pub max_logs: Option<u64>,
    /// How often a log is tried again before it goes to the dead letters.
    pub max_retries: u32,
    /// How many logs may wait for their next attempt, or to be safe among the dead letters; beyond that
    /// nothing new is taken. At least 1.
    pub max_waiting: usize,
    /// The least time between the beginnings of two commits, while less than `max_waiting` logs wait for one, or half of
    /// what a source hands out that says so: what a commit costs is shared by all that is in it.
    pub pace: Duration,
    /// When the consumer is stopped because it keeps failing.
    pub tolerance: Tolerance,
    /// How long a stopped consumer is left alone before one log is tried; doubles up to five minutes. Without
    /// it, being stopped ends the run.
    pub probe: Option<Duration>,
    /// How long an origin is remembered that sends nothing, while logs are taken.
    pub forget_after: Duration,
    /// How long the broker may take with the logs that the consumer publishes of one batch, before that is given up
    /// and comes again.
    pub publish_within: Duration,
    /// What the consumer gets of its saved state.
    pub state: SavedState,
    /// Who continues the traces that logs belong to, if they are.
    pub tracing: Option<Tracing>,
}

/// What becomes of a state that a consumer has saved in an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedState {
    /// The consumer takes it up.
    Restored,
    /// It is left aside; the counts are not.
    Discarded,
}

/// When a batch is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batching {
    /// When there is no more at the moment: a batch never waits for a log that is not there.
    Arrived,
    /// When it is full, or the marker has come: the same batches at every run.
    Full,
}

impl ConsumeOptions {
    pub(super) fn pace(&self) -> Pace {
        Pace { interval: self.pace, waiting: self.max_waiting, forget_after: self.forget_after }
    }
}
