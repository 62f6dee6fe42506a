//! The state of a host on disk: what was counted, which logs are in it, and what queues were bound to.
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
use std::sync::Arc;

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

    /// What `queue` is bound to, as it was kept: each an exchange and a routing key, or a pattern of it.
    ///
    /// # Errors
    ///
    /// If the state cannot be read.
    pub async fn bindings(&self, queue: &str) -> Result<Vec<(String, String)>, StateError> {
        self.committer.bindings(queue).await
    }

    /// Keeps these instead. When the future is ready, they are on the disk.
    ///
    /// # Errors
    ///
    /// If they cannot be written; then those from before are kept.
    pub async fn keep_bindings(
        &self,
        queue: &str,
        bindings: Vec<(String, String)>,
    ) -> Result<(), Arc<StateError>> {
        self.committer.keep_bindings(queue, bindings).await
    }

    /// The ledger of the consumer that takes from `queue` and was configured with `settings`. A consumer has a ledger
    /// for each queue.
    pub fn ledger(&self, consumer: &ConsumerName, queue: &str, settings: Settings) -> StateLedger {
        StateLedger::Stored(self.committer.handle(consumer, queue, settings))
    }
}
