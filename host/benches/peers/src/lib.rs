//! What the peers written in Rust have in common: the log that all peers carry, and what they report.

pub mod log;
pub mod report;
