//! `loghost publish`: what arrives, what is found in lines, its journal, and brokers that refuse or go away.

pub(crate) mod command;
pub(crate) mod decode;
pub(crate) mod full;
pub(crate) mod journal;
pub(crate) mod multiline;
pub(crate) mod reconnect;
pub(crate) mod streams;
pub(crate) mod to;
