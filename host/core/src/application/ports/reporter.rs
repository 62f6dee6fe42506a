//! Who shows metrics.

use super::{BoxError, ConsumerError};
use crate::domain::{ConsumerName, Counts, Measures};

/// Shows metrics.
pub trait Reporter: Send {
    /// Shows one.
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError>;
}

/// A metric, as a consumer wrote it.
#[derive(Debug)]
pub struct Report<'a> {
    /// Whose.
    pub consumer: &'a ConsumerName,
    /// What it was written from.
    pub counts: &'a Counts,
    /// Whether it has read streams: their logs are counted by their offsets, with and without an id.
    pub has_offsets: bool,
    /// The consumer's own words; or why it has none.
    pub text: Result<String, ConsumerError>,
    /// What it has measured last; or why it could not. None if it has no figures of its own.
    pub measures: Option<Result<&'a Measures, &'a ConsumerError>>,
    /// Whether it is the last of the run.
    pub last: bool,
}

/// A report that cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report")]
pub struct ReportError(#[from] pub BoxError);
