//! For the tests and benchmarks of every crate. No interface for anybody else.

pub mod logs;
