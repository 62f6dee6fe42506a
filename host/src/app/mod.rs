//! The composition root: builds the adapters, owns the tasks, drains them, in that order.
//!
//! One module for each command; the commands' options are plain types, and where they come from is the
//! command line's business.

mod company;
mod failure;
mod guest_lines;
mod host;
mod idle;
mod input;
mod leaps;
mod letters;
mod limits;
mod loading;
mod plugins;
mod reload;
mod selection;
mod settings;
mod settling;
mod signals;
mod stage;
mod state;
mod suggestion;
mod supervise;

pub(crate) mod author;
pub(crate) mod bench;
pub(crate) mod broker;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod publish;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod verify;

pub(crate) use failure::{Failure, Status};
pub(crate) use host::Target;
pub(crate) use plugins::Derived;
pub(crate) use reload::Trigger;
pub(crate) use selection::Selection;
pub(crate) use settings::Settings;
pub(crate) use suggestion::like;
pub(crate) use supervise::OnFailure;
