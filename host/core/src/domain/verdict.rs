//! What a consumer says of the logs it was given.

use super::Log;

/// What becomes of a log that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and not counted as accepted.
    Skip,
    /// It goes to the dead letters, for this reason.
    Reject(String),
    /// It comes again later, for this reason.
    Retry(String),
}

/// What becomes of one log of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The log's index in the batch, from 0.
    pub index: usize,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What a consumer says of a batch: a log without a verdict is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processed {
    /// The exceptions, at most one for each log.
    pub verdicts: Vec<Verdict>,
    /// Logs to publish before the batch is acknowledged.
    pub publish: Vec<Log>,
}
