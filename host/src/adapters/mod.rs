//! The technologies: each module implements a role of the core with one of them, and none knows another.

pub(crate) mod bench_plugins;
pub(crate) mod bundled;
pub(crate) mod clock;
pub(crate) mod process;
pub(crate) mod scenario_file;
pub(crate) mod terminal;
pub(crate) mod toolchain;
pub(crate) mod watch;
