//! How the run of a consumer ends.

use super::ports::{ConsumerError, LedgerError, ReportError, SinkError, SourceError};
use crate::domain::Counts;

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// What was counted.
    pub counts: Counts,
    /// Why it ended.
    pub end: End,
    /// How the consumer failed, if it was stopped for that when the run ended.
    pub stopped: Option<ConsumerError>,
}

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// It was asked to.
    #[error("asked to end")]
    Shutdown,
    /// It has counted as many logs as it should.
    #[error("counted enough")]
    Enough,
    /// The marker has come.
    #[error("reached the marker")]
    Marker,
    /// The source ended.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The consumer failed; what it had not finished stays in the queue.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// A log that the consumer publishes could not be.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Its book cannot be kept; what was not committed comes again.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its metric could not be shown.
    #[error(transparent)]
    Report(#[from] ReportError),
}
