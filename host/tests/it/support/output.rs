//! The output of a process that has ended, and its exit status.

use std::fmt;
use std::process::ExitStatus;

/// The output and exit status of a process.
pub(crate) struct Output {
    pub(super) line: String,
    pub(super) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Its exit code; none if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails with everything that was printed unless it ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.status.code() == Some(code), "expected exit status {code}: {self}");
        self
    }

    /// Fails unless standard error has `needle`.
    #[track_caller]
    pub(crate) fn says(self, needle: &str) -> Self {
        assert!(self.stderr.contains(needle), "`{needle}` is not on standard error: {self}");
        self
    }

    /// Fails if standard error has `needle`.
    #[track_caller]
    pub(crate) fn does_not_say(self, needle: &str) -> Self {
        assert!(!self.stderr.contains(needle), "`{needle}` is on standard error: {self}");
        self
    }

    /// Fails unless standard output has `needle`.
    #[track_caller]
    pub(crate) fn prints(self, needle: &str) -> Self {
        assert!(self.stdout.contains(needle), "`{needle}` is not on standard output: {self}");
        self
    }

    /// Each line of standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("`{line}` is not JSON: {error}: {self}"),
        };
        self.stdout.lines().map(parse).collect()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}) ", self.status)?;
        write_all(f, &self.line, &self.stdout, &self.stderr)
    }
}

/// A command line and all that it has printed.
pub(super) fn write_all(f: &mut fmt::Formatter<'_>, line: &str, stdout: &str, stderr: &str) -> fmt::Result {
    write!(f, "{line}\n--- standard output\n{stdout}\n--- standard error\n{stderr}\n---")
}
