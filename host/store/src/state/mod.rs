//! The state of a host on disk: what was counted, and which logs are in it.
//!
//! A folder with one embedded database (redb). What is committed is durable before the future is ready;
//! what several consumers commit at the same time shares one transaction. This knows neither where logs
//! come from nor what a consumer is.

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
pub struct State {
    committer: Committer,
}

impl State {
    /// Opens the state in `folder`, which is made if it is not there.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        Ok(Self { committer: Committer::start(Store::create(folder)?)? })
    }

    /// The ledger of the consumer that takes from `queue` and was configured with `settings`; under another queue it has
    /// another.
    pub fn ledger(&self, consumer: &ConsumerName, queue: &str, settings: Settings) -> StateLedger {
        StateLedger::Stored(self.committer.desk(consumer, queue, settings))
    }
}
