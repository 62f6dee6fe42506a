//! Where in a plugin's code a call trapped, as text.

use std::fmt::Write;

use loghost_core::domain::printable_line;
use wasmtime::{FrameInfo, WasmBacktrace};

/// The most bytes of a backtrace, so that it fits a header of a dead letter.
const LONGEST: usize = 4096;

/// The calls in the guest that led to `error`, the innermost first, one a line; none if it did not trap.
pub(super) fn backtrace(error: &wasmtime::Error) -> Option<String> {
    let frames = error.downcast_ref::<WasmBacktrace>()?.frames();
    Some(bounded(frames.iter().map(frame))).filter(|text| !text.is_empty())
}

/// A function's name, or its number if names were stripped, and the offset in the core module.
fn frame(frame: &FrameInfo) -> String {
    let mut text = match frame.func_name() {
        // The plugin's author chose it: it must not look like two lines.
        Some(name) => printable_line(&readable(name)).into_owned(),
        None => format!("function {}", frame.func_index()),
    };
    if let Some(offset) = frame.module_offset() {
        // Writing to a string cannot fail.
        let _ = write!(text, " at {offset:#x}");
    }
    text
}

/// The name of a Rust function, demangled.
fn readable(name: &str) -> String {
    // The alternate form leaves out the hash.
    format!("{:#}", rustc_demangle::demangle(name))
}

/// As many lines as fit, and `...` in a last one if some do not.
fn bounded(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        if text.len() + line.len() + "\n...".len() > LONGEST {
            return text + "...";
        }
        text.push_str(&line);
        text.push('\n');
    }
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: &str) {
        assert_eq!(bounded(lines.iter().map(|line| (*line).to_owned())), expected);
    }

    #[test]
    fn names_are_those_of_the_source() {
        assert_eq!(readable("_ZN5frail6digest17h0123456789abcdefE"), "frail::digest");
        assert_eq!(readable("_RNvC6_123foo3bar"), "123foo::bar");
        assert_eq!(readable("dive"), "dive");
    }

    #[test]
    fn a_long_one_is_cut_between_two_lines() {
        check(&[], "");
        check(&["a", "b"], "a\nb");
        let long = "x".repeat(LONGEST - 4);
        check(&[&long, "b"], &format!("{long}\n..."));
        check(&["a", &long, "b"], "a\n...");
    }
}
