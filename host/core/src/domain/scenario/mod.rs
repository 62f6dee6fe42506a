//! Scenarios: the logs to send, and word for word the metric that each consumer must write of them.
//!
//! ```text
//! # db-1 loses a disk
//! info x3 @web-1: GET /health 200
//! error @db-1 disk=sda used="99 %": disk full
//! | no space left on device
//! critical:
//!
//! expect critical
//! | critical  1
//! | total     1
//! expect ./mine.wasm threshold=3
//! ```
//!
//! A scenario is read line by line and never held as a whole, so that it may have any number of logs.
//! The rules, in full:
//!
//! - A line that begins with `#` is a comment; it and a blank line say nothing, but end a `|` block.
//! - Every other line begins in the first column, with a severity, with `expect` or with `|`.
//! - A log is a severity, then in any order `xN` (send it N times), `@source` and attributes as
//!   `key=value`, separated by blanks (spaces and tabs). The first `:` outside quotes ends that head; one
//!   space after it is dropped and the rest is the message, verbatim.
//! - A source or a value with a blank, a `:` or a `"` in it is written in quotes, where `\"` stands for a
//!   quote and `\\` for a backslash; so is an empty value. In a log a `:` that directly follows a source
//!   or value without quotes must be followed by a space, so that `at=12:30` is an error and not the
//!   value `12`.
//! - Below a log, `| text` adds a new line and the text to the message: one space is dropped, the rest is
//!   verbatim, and `|` alone adds an empty line.
//! - `expect` names a consumer and settings for it, as `key=value`; here a `:` is like any other
//!   character. The name is a bundled plugin's or, with a `/` in it or `.wasm` at its end, a path relative
//!   to the scenario. The `|` lines directly below are the expected text, joined by line ends; without
//!   one it is empty, and a text that ends in a line end is written with a last bare `|`.
//! - All logs come before the first `expect`. No consumer is expected twice with equal settings.
//! - Text is UTF-8; a byte order mark at the start and one carriage return at the end of a line are
//!   dropped. A line, a message and an expected text have at most 16 MiB.

mod error;
mod excerpt;
mod head;
mod parser;
mod rewrite;
mod step;
mod steps;
mod suggest;
mod write;

pub use error::{SyntaxError, SyntaxErrorKind};
pub use parser::{MAX_BYTES, Parser};
pub use rewrite::rewrite;
pub use step::{ConsumerRef, Expectation, Step};
pub use steps::{Steps, steps};
pub use write::{Unwritable, word, write, write_expectation};
