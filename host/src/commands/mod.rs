//! One use case each: what a command does, from plain options to what it leaves and prints.

pub(crate) mod bench;
pub(crate) mod broker;
pub(crate) mod config;
pub(crate) mod dead_letters;
pub(crate) mod demo;
mod input;
pub(crate) mod plugin;
pub(crate) mod publish;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sources;
pub(crate) mod status;
pub(crate) mod tail;
pub(crate) mod verify;
