//! Where a consumer's book is kept.

use std::future::Future;

use super::BoxError;
use crate::domain::{Book, Changes, Filter};

/// Where the book of one consumer is kept.
pub trait Ledger: Send {
    /// What was committed; asked for once, before the first commit.
    fn load(&mut self) -> impl Future<Output = Result<Saved, LedgerError>> + Send;

    /// Keeps all of it or nothing. When the future is ready it is safe. Commits take effect in the order in
    /// which they were handed over; at most one is under way.
    fn commit(&mut self, commit: Commit) -> impl Future<Output = Result<(), LedgerError>> + Send + use<Self>;
}

/// What a ledger keeps of a consumer.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// Its counts, and which logs are in them.
    pub book: Book,
    /// What it keeps itself.
    pub checkpoint: Option<Vec<u8>>,
    /// What it wanted.
    pub filter: Option<Filter>,
}

/// What is committed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What changed in the book.
    pub changes: Changes,
    /// What the consumer keeps itself, if it has changed.
    pub checkpoint: Option<Vec<u8>>,
    /// What it wants, if that has changed.
    pub filter: Option<Filter>,
}

/// A book that cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the state")]
pub struct LedgerError(#[from] pub BoxError);
