//! Dead letters that somebody looks after: which of them are meant, and what may be done with each.
//!
//! In reading order: `message`, what is known of one; `selection`, which are meant; `removal`, whether one is taken out.

mod message;
mod removal;
mod selection;
#[cfg(test)]
mod tests;

pub use self::message::{DeadLetterFacts, FoundMessage};
pub use self::removal::{Decision, Removal};
pub use self::selection::Selection;
