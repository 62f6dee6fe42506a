//! What the user of a connection may not do, as the broker has said. It is not tried again on this connection, as the broker
//! logs each refusal.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What was refused: each right with the name of the exchange or queue.
#[derive(Debug, Default)]
pub(crate) struct DeniedRights(Mutex<BTreeSet<(Right, String)>>);

/// What needs a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// To declare or delete an exchange or a queue.
    Configure,
    /// To bind a queue: to write to it, and to read the exchange.
    Bind,
    /// The same for a stream, which is called like its exchange.
    BindStream,
}

impl DeniedRights {
    /// Notes that this was refused; whether it was not known before.
    pub(crate) fn add(&self, right: Right, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((right, name.to_owned()))
    }

    /// Has it tried again: the permission may have been given since.
    pub(crate) fn forget(&self, right: Right, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(right, name.to_owned()));
    }

    /// Whether this was refused.
    pub(crate) fn has(&self, right: Right, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(right, name.to_owned()))
    }
}
