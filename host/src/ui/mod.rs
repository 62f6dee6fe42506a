//! What a person or a machine reads.

pub(crate) mod bench;
pub(crate) mod config;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod live_logs;
pub(crate) mod plugin;
pub(crate) mod publish;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod sources;
pub(crate) mod status;
mod table;
pub(crate) mod tail;
pub(crate) mod terminal;
mod text;
mod time;
pub(crate) mod verify;
pub(crate) mod view;
