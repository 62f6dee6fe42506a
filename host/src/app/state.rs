//! Where a run keeps its counts: in a folder, or as long as it lasts.

use std::path::Path;

use loghost_core::domain::ConsumerName;

use super::failure::{Failure, Status};
pub(super) use crate::adapters::state::StateLedger;
use crate::adapters::state::{State, StateError};

/// Opens the state in `folder`, if one is named.
pub(super) fn open(folder: Option<&Path>) -> Result<Option<State>, Failure> {
    folder.map(State::open).transpose().map_err(unusable)
}

/// The ledger of the consumer that takes from `queue`.
pub(super) fn ledger(state: Option<&State>, consumer: &ConsumerName, queue: &str) -> StateLedger {
    state.map_or(StateLedger::Volatile, |state| state.ledger(consumer, queue))
}

/// What it means that a state cannot be used.
pub(super) fn unusable(error: StateError) -> Failure {
    let status = match error {
        StateError::Io { .. } | StateError::Displaced(_) => Status::Io,
        StateError::Thread(_) => Status::System,
        StateError::Closed => Status::Internal,
        _ => Status::BadInput,
    };
    Failure::of(status, error)
}
