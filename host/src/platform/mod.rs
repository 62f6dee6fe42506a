//! What the process has of the operating system: who manages it as a service, signals, files that are watched, other processes, clocks.

pub(crate) mod clock;
pub(crate) mod keyboard;
pub(crate) mod process;
pub(crate) mod service_manager;
pub(crate) mod signals;
pub(crate) mod watch;
