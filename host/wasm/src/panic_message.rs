//! The message of a panic, which a plugin writes as a log line just before it traps.

use std::fmt;

/// The most bytes of a message, so that it fits a header of a dead letter.
const LONGEST: usize = 4096;

/// How the message of a Rust panic begins; its location follows, and in another line its text.
const PANIC: &str = "panicked at ";

/// The last line of level error of a call that trapped, attached to the error as its context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PanicMessage(String);

impl PanicMessage {
    /// From a line, which is truncated if it is too long.
    pub(super) fn new(line: &str) -> Self {
        let end = line.floor_char_boundary(LONGEST);
        let more = if end < line.len() { "..." } else { "" };
        Self(format!("{}{more}", line[..end].trim_end()))
    }
}

impl fmt::Display for PanicMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(line) = self;
        match line.strip_prefix(PANIC).and_then(|rest| rest.split_once(":\n")) {
            Some((location, text)) => write!(f, "{PANIC}{location}: {text}{}", hint(text)),
            None if line.starts_with(PANIC) => f.write_str(line),
            None => write!(f, "panicked (trap: unreachable): {line}"),
        }
    }
}

/// Advice, where the standard library has asked for something that plugins do not have.
pub(super) fn hint(text: &str) -> &'static str {
    if text.contains("time not implemented on this platform") {
        "; a plugin has no clock: `process` is given the time as `now`, and each log and metric have theirs"
    } else if text.contains("on this platform") || text.ends_with("can't sleep") {
        "; a plugin has no files, network, threads, processes or variables: it is given settings, logs and the time"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(PanicMessage::new(line).to_string(), expected);
    }

    #[test]
    fn a_panic_is_its_location_and_its_text() {
        check(
            "panicked at src/lib.rs:41:13:\ncannot digest\nit",
            "panicked at src/lib.rs:41:13: cannot digest\nit",
        );
        check("panicked at src/lib.rs:41:13", "panicked at src/lib.rs:41:13");
        check("out of cheese", "panicked (trap: unreachable): out of cheese");
    }

    #[test]
    fn what_a_plugin_does_not_have_is_said() {
        let said = |text: &str| PanicMessage::new(&format!("panicked at a.rs:1:1:\n{text}")).to_string();
        assert!(
            said("time not implemented on this platform")
                .ends_with(hint("time not implemented on this platform"))
        );
        assert!(said("time not implemented on this platform").contains("`now`"));
        for text in [
            "failed to spawn thread: Error { kind: Unsupported, message: \"operation not supported on this platform\" }",
            "failed to set environment variable `\"A\"` to `\"b\"`: cannot set env vars on this platform",
            "can't sleep",
        ] {
            assert!(said(text).contains("a plugin has no files"), "{text}");
        }
        assert_eq!(hint("cannot digest"), "");
    }

    #[test]
    fn they_have_an_end() {
        let PanicMessage(line) = PanicMessage::new(&"é".repeat(LONGEST));
        assert_eq!(line.len(), LONGEST + "...".len());
    }
}
