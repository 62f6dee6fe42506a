//! The state of a host on disk: what was counted, and which logs are in it.
//!
//! A folder with one redb database. A commit is durable when its future completes; commits of several consumers at the
//! same time share one transaction.

mod committer;
mod contents;
mod error;
mod folder;
mod ledger;
mod settings;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod wire;

use std::path::Path;

use committer::Committer;
use loghost_core::domain::ConsumerName;

pub use contents::Contents;
pub use error::StateError;
pub use ledger::StateLedger;
pub use settings::Settings;
use store::Store;

/// The state of a host, open for it alone.
#[derive(Debug)]
pub struct StateFolder {
    committer: Committer,
}

impl StateFolder {
    /// Opens the state in `folder`, which is made if it is not there.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        Ok(Self { committer: Committer::start(Store::create(folder)?)? })
    }

    /// Whether there is none in `folder` yet.
    pub fn is_missing(folder: &Path) -> bool {
        matches!(folder::database_in(folder), Err(StateError::Missing(_)))
    }

    /// The ledger of the consumer that takes from `queue` and was configured with `settings`. A consumer has a ledger
    /// for each queue.
    pub fn ledger(&self, consumer: &ConsumerName, queue: &str, settings: Settings) -> StateLedger {
        StateLedger::Stored(self.committer.handle(consumer, queue, settings))
    }
}
