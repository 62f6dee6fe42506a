//! What adapters share that keep something on disk: files that are nobody else's business, files that are
//! still where they were opened, and databases whose damage is seen.
//!
//! Knows nothing of what is kept.

mod database;
mod header;
mod place;
pub(crate) mod private;

pub(crate) use database::{commit, create_database, open_copy, open_database};
pub(crate) use place::{Displaced, Place};
