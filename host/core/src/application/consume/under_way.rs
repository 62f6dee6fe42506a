//! A commit that is under way, and what is safe when it is.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::application::ports::LedgerError;
use crate::domain::{Counts, RemovedOffsets};

/// A commit that is under way.
pub(super) struct UnderWay {
    pub(super) done: Pin<Box<dyn Future<Output = Result<(), LedgerError>> + Send>>,
    pub(super) since: Instant,
    pub(super) committed: Box<Committed>,
}

/// What is safe when a commit is: large, and handed on through several futures, so it is boxed.
pub(super) struct Committed {
    pub(super) counts: Counts,
    /// Whether there is something new to show.
    pub(super) news: bool,
    /// The numbers of what can be acknowledged.
    pub(super) numbers: Vec<u64>,
    /// How many of these deliveries were messages.
    pub(super) messages: usize,
    /// What was removed from streams.
    pub(super) removed: Vec<RemovedOffsets>,
    pub(super) checkpoint: Option<Vec<u8>>,
    /// How long it took.
    pub(super) took: Duration,
}
