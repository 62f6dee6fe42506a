//! What the peers written in Rust share: the log that they send, and the report.

pub mod log;
pub mod report;
