//! What is finished, and gathers until the next commit begins.

use crate::application::ports::Uncounted;
use crate::domain::{CountedAs, FinishedLog, RemovedOffsets};

/// A log, or a delivery that is none, that is finished.
#[derive(Debug)]
pub(super) struct Done {
    /// Its number.
    pub(super) number: u64,
    pub(super) what: FinishedKind,
}

/// What it was.
#[derive(Debug)]
pub(super) enum FinishedKind {
    Log(FinishedLog),
    /// A log that was counted before, or is under way by another delivery.
    Repetition,
    /// No log.
    Foreign,
    /// What the broker could not deliver.
    Undeliverable,
    /// What ends a scenario.
    Marker,
    /// What the consumer has behind it in a stream.
    Passed,
    /// A log of a message of others that the filter does not want.
    PassedBy,
    /// What was removed from a stream before it was read.
    Removed(RemovedOffsets),
}

/// What is finished, and not in a commit.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// To be entered in the book.
    pub(super) logs: Vec<FinishedLog>,
    /// What the consumer was not shown.
    pub(super) uncounted: Uncounted,
    /// How many logs of messages of others are not wanted.
    pub(super) passed_by: u64,
    /// How many deliveries were repetitions.
    pub(super) repeats: u64,
    pub(super) removed: Vec<RemovedOffsets>,
    /// The numbers of all that is finished, to be acknowledged after the commit.
    pub(super) numbers: Vec<u64>,
    /// What the consumer keeps, after all of these.
    pub(super) checkpoint: Option<Vec<u8>>,
}

impl Staged {
    /// Notes what is finished.
    #[inline]
    pub(super) fn add(&mut self, Done { number, what }: Done) {
        match what {
            FinishedKind::Marker | FinishedKind::Passed => {}
            FinishedKind::Repetition => self.repeats += 1,
            FinishedKind::Foreign => self.uncounted.foreign += 1,
            FinishedKind::Undeliverable => self.uncounted.undeliverable += 1,
            FinishedKind::PassedBy => self.passed_by += 1,
            FinishedKind::Removed(removed) => self.removed.push(removed),
            FinishedKind::Log(log) => {
                if log.counted_as == CountedAs::Unwanted {
                    self.uncounted.unwanted += 1;
                }
                self.logs.push(log);
            }
        }
        self.numbers.push(number);
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.checkpoint.is_none()
    }

    /// How many logs are counted.
    pub(super) fn counted(&self) -> u64 {
        self.logs.len() as u64 - self.uncounted.unwanted
    }
}
