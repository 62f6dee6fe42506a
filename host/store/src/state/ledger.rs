//! The ledger of one consumer: in a state, or nowhere.

use std::future::ready;

use futures_util::future::Either;
use loghost_core::application::{Commit, Ledger, LedgerError, Saved};
use loghost_core::domain::Counts;

use super::committer::CommitterHandle;
use super::error::StateError;

/// Where the book of one consumer is kept.
#[derive(Debug)]
pub enum StateLedger {
    /// In a state on disk.
    Stored(CommitterHandle),
    /// Nowhere: the counts are lost at the end of the run.
    Volatile,
}

impl StateLedger {
    /// Which of the consumer's settings differ from those that it had when it was committed last, as far as that is
    /// known.
    pub async fn changed_settings(&self) -> Result<Vec<String>, StateError> {
        match self {
            Self::Stored(handle) => handle.changed_settings().await,
            Self::Volatile => Ok(Vec::new()),
        }
    }

    /// Whether the consumer has a position in a stream.
    pub async fn has_position(&self) -> Result<bool, StateError> {
        match self {
            Self::Stored(handle) => Ok(handle.load().await?.book.next_offsets().next().is_some()),
            Self::Volatile => Ok(false),
        }
    }

    /// Has the consumer begin anew: it loads nothing, and its first commit takes the place of all that was committed of it.
    /// Returns what it had counted before; until that commit, the state still has it.
    pub async fn restart(&mut self) -> Result<Counts, StateError> {
        match self {
            Self::Stored(handle) => Ok(handle.restart().await?.book.counts().clone()),
            Self::Volatile => Ok(Counts::default()),
        }
    }
}

impl Ledger for StateLedger {
    async fn load(&mut self) -> Result<Saved, LedgerError> {
        match self {
            Self::Stored(handle) => handle.load().await.map_err(|error| LedgerError(error.into())),
            Self::Volatile => Ok(Saved::default()),
        }
    }

    fn commit(&mut self, commit: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        match self {
            Self::Stored(handle) => {
                let committed = handle.commit(commit);
                Either::Left(async { committed.await.map_err(|error| LedgerError(error.into())) })
            }
            Self::Volatile => Either::Right(ready(Ok(()))),
        }
    }
}
