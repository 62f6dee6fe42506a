//! What a host and a publisher keep on disk, in databases (redb) whose damage is refused wherever in the file it is.
//!
//! [`state`] is what a host has counted, [`journal`] what a publisher has sent. Both are beneath: `database` opens and commits,
//! `header` has the one bit of a file judged that no checksum covers, `place` tells whether a file is still the one that its
//! path names.

mod database;
mod header;
pub mod journal;
mod place;
pub mod state;
