//! Scenarios as files, and the files that are in the binary.

pub(crate) mod bench_plugins;
pub(crate) mod bundled;
pub(crate) mod scenario_file;
