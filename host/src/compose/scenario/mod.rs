//! Scenarios: the consumers that they are sent to, and the exchanges that they come through.

pub(crate) mod consumers;
pub(crate) mod exchange;
pub(crate) mod runner;
