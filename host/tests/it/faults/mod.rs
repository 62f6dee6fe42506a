//! Faults that are injected: kills, damaged files, a full system, clocks that jump, closed pipes, a million logs.

pub(crate) mod at_least_once;
pub(crate) mod clock;
pub(crate) mod closed;
pub(crate) mod crash;
pub(crate) mod damage;
pub(crate) mod long;
pub(crate) mod system;
pub(crate) mod trouble;
pub(crate) mod undeliverable;
pub(crate) mod undeliverable_streams;
pub(crate) mod unread;
