//! What hosts and publishers store on disk, in redb databases. Damage anywhere in a file is detected and refused.
//!
//! [`state`] is what a host has counted, [`journal`] what a publisher has sent. Both use `database`, which opens and
//! commits; `header`, which checks the one bit of a file that no checksum covers; and `path_check`, which tells
//! whether a path still names the file that is open.

mod database;
mod header;
pub mod journal;
mod path_check;
pub mod state;
