//! The other commands, and what all commands have in common: messages about mistakes, and clean output.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod described;
pub(crate) mod hygiene;
pub(crate) mod log;
pub(crate) mod mistakes;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod status;
pub(crate) mod tail;
pub(crate) mod verify;
pub(crate) mod verify_bind;
