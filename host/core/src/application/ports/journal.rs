//! What a producer remembers of its input over a crash: how far it has begun it, and what is confirmed.

use std::collections::HashMap;
use std::num::NonZeroU64;

use super::BoxError;
use crate::domain::{IntervalSet, Log, Severity, Source};

/// Which logs of one producer the broker has confirmed: for each severity and source, the sequence
/// numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmed(HashMap<(Severity, Option<Source>), IntervalSet>);

impl Confirmed {
    /// Adds a log; false if it was there.
    pub fn insert(&mut self, severity: Severity, source: Option<&Source>, sequence: NonZeroU64) -> bool {
        self.of(severity, source.cloned()).insert(sequence.get())
    }

    /// The numbers of a severity and source, to add to.
    pub fn of(&mut self, severity: Severity, source: Option<Source>) -> &mut IntervalSet {
        self.0.entry((severity, source)).or_default()
    }

    /// Whether a log is there.
    pub fn contains(&self, severity: Severity, source: Option<&Source>, sequence: NonZeroU64) -> bool {
        self.0.get(&(severity, source.cloned())).is_some_and(|intervals| intervals.contains(sequence.get()))
    }

    /// Each severity and source, with its numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Severity, Option<&Source>, &IntervalSet)> {
        self.0.iter().map(|((severity, source), intervals)| (*severity, source.as_ref(), intervals))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A producer's memory. What it was told is safe when the call returns.
pub trait Journal: Send {
    /// How many logs of the input have been begun: each has its number, and may have been sent.
    fn begun(&self) -> u64;

    /// Whether the broker has confirmed a log.
    fn is_confirmed(&self, severity: Severity, source: Option<&Source>, sequence: NonZeroU64) -> bool;

    /// Is shown the next log of the input, from its first.
    fn read(&mut self, log: &Log);

    /// Compares what was read, being as many logs as are begun, with what was begun.
    fn verify(&self) -> Result<(), JournalError>;

    /// Notes that all logs that were read are begun, and what is confirmed besides.
    fn begin(&mut self, confirmed: Confirmed) -> Result<(), JournalError>;

    /// Notes what is confirmed besides.
    fn confirm(&mut self, confirmed: Confirmed) -> Result<(), JournalError>;
}

/// Why a journal cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The input begins otherwise than the one that was begun, or ends too early.
    #[error(
        "the input has changed: {}; give it the same input again, to which something may have been added, \
         or begin another journal",
        difference(*.begun, *.read)
    )]
    Changed {
        /// How many logs were begun.
        begun: u64,
        /// How many of them could be read.
        read: u64,
    },
    /// It cannot be written.
    #[error("cannot write the journal")]
    Write(#[source] BoxError),
}

fn difference(begun: u64, read: u64) -> String {
    if read < begun {
        format!("it ends after {read} logs, and {begun} were begun")
    } else {
        format!("its first {begun} logs are not those that were begun")
    }
}
