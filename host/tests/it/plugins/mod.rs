//! Plugins: writing, loading and replacing them, their limits, and what the host does with their results.

pub(crate) mod authoring;
pub(crate) mod cache;
pub(crate) mod contract;
pub(crate) mod limits;
pub(crate) mod measures;
pub(crate) mod poison;
pub(crate) mod processor;
pub(crate) mod reload;
pub(crate) mod settings;
pub(crate) mod watch;
