//! Panics, as lines of the log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use super::error;

/// From now on, where and why a thread has panicked is said, without waiting for anybody to read it.
pub(crate) fn say_panics() {
    panic::set_hook(Box::new(say));
}

fn say(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
    let why = panic.payload_as_str().unwrap_or("without a word");
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    error(&format!("a thread of loghost panicked{location}: {why}{backtrace}"), None);
}
