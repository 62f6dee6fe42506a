//! Dead letters that somebody looks after: which of them are meant, and what may be done with each.
//!
//! In reading order: `message`, what is known of one; `selection`, which are meant; `removal`, whether one is taken out; `remove`,
//! which takes out many.

mod message;
mod removal;
mod remove;
#[cfg(test)]
mod remove_tests;
#[cfg(test)]
mod rule_tests;
mod selection;

pub use self::message::{DeadLetterFacts, FoundMessage};
pub use self::removal::{Decision, Removal};
pub use self::remove::{RemovalEnd, RemovalEvent, Removed, purge_dead_letters, replay_dead_letters};
pub use self::selection::Selection;
