//! Looking at logs without consuming them: as they come, or those of the past.

pub(crate) mod live_logs;
pub(crate) mod look;
pub(crate) mod past;
