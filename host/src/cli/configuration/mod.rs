//! Options from elsewhere than the command line: the environment and the configuration file.
//!
//! The description of the command line is the one list of options. Its names are the keys of the file and, in capitals, the
//! variables; its parsers read their values. What they add becomes arguments, which are parsed with the others.

mod arguments;
mod consumers;
pub(super) mod credentials;
mod file;
pub(super) mod init;
mod layers;
mod location;
mod option;
pub(super) mod show;

pub(super) use arguments::Arguments;
pub(super) use layers::{FILE, InForce};
pub(super) use option::{LOG_FORMAT, variables};
