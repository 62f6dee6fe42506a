//! Declaring, binding and deleting exchanges and queues.

mod exchanges;
mod queues;

use std::sync::Arc;

/// What `queue.declare-ok` reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueStatus {
    pub(crate) name: Arc<str>,
    pub(crate) messages: usize,
    pub(crate) consumers: usize,
}

/// When a deletion is to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unless {
    pub(crate) used: bool,
    pub(crate) filled: bool,
}

/// An end of a binding that is not the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Queue(&'a str),
    Exchange(&'a str),
}
