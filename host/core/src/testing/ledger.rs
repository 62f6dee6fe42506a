//! A ledger that keeps nothing.

use std::time::Duration;

use tokio::time::sleep;

use super::Calls;
use crate::application::{Commit, Ledger, LedgerError, Saved};

/// Takes every commit.
#[derive(Debug)]
pub struct FakeLedger {
    /// Records the commits that take time.
    pub calls: Calls,
    /// How long each takes.
    pub delay: Option<Duration>,
}

impl Ledger for FakeLedger {
    async fn load(&mut self) -> Result<Saved, LedgerError> {
        Ok(Saved::default())
    }

    fn commit(&mut self, commit: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let (calls, delay) = (self.calls.clone(), self.delay);
        async move {
            if let Some(delay) = delay {
                sleep(delay).await;
                calls.record(|| format!("commit {}", commit.changes.counts.total()));
            }
            Ok(())
        }
    }
}
