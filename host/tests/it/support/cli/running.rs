//! A running process: what it has printed so far, its standard input, signals, and its end.

use std::fmt;
use std::io::Write;
use std::process::{Child, ChildStdin, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::TIMEOUT;
use crate::support::capture::Captured;
use crate::support::output::{Output, write_all};

/// A signal that tests send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
    Kill,
    /// Suspends the process until `Continue`.
    Stop,
    Continue,
}

/// A running process. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    line: String,
    stdin: Option<ChildStdin>,
    stdout: Captured,
    stderr: Captured,
}

impl Running {
    pub(super) fn new(
        child: Child,
        line: String,
        stdin: Option<ChildStdin>,
        stdout: Captured,
        stderr: Captured,
    ) -> Self {
        Self { child, line, stdin, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with `needle` on standard error, and returns it.
    #[track_caller]
    pub(crate) fn says(&self, needle: &str) -> String {
        let line = self.stderr.wait(|line| line.contains(needle));
        line.unwrap_or_else(|| panic!("`{needle}` did not appear on standard error of {self}"))
    }

    /// Waits until all of these consumers consume: from the start, or each as soon as it can.
    #[track_caller]
    pub(crate) fn has_consuming(&self, consumers: &[&str]) {
        self.has_said(|said| said.contains(" consuming from ") || are_consuming(said, consumers));
    }

    /// Waits until all of these consumers, which have stood by, consume.
    #[track_caller]
    pub(crate) fn has_taken_over(&self, consumers: &[&str]) {
        self.has_said(|said| are_consuming(said, consumers));
    }

    /// Waits for a line with `needle` on standard output, and returns it.
    #[track_caller]
    pub(crate) fn prints(&self, needle: &str) -> String {
        let line = self.stdout.wait(|line| line.contains(needle));
        line.unwrap_or_else(|| panic!("`{needle}` did not appear on standard output of {self}"))
    }

    /// The complete lines that it has written to standard output so far.
    pub(crate) fn stdout_so_far(&self) -> String {
        self.stdout.text()
    }

    /// The complete lines that it has written to standard error so far.
    pub(crate) fn stderr_so_far(&self) -> String {
        self.stderr.text()
    }

    /// Waits until `is_it` holds for what it has written to standard error.
    #[track_caller]
    pub(crate) fn has_said(&self, is_it: impl Fn(&str) -> bool) {
        assert!(self.said_within(TIMEOUT, is_it), "what is waited for was not said: {self}");
    }

    /// Whether `is_it` holds for what it has written to standard error, at the latest after this long.
    pub(crate) fn said_within(&self, timeout: Duration, is_it: impl Fn(&str) -> bool) -> bool {
        self.stderr.wait_for_all(timeout, is_it)
    }

    /// Whether a line with `needle` appears on standard error within this time.
    pub(crate) fn says_within(&self, timeout: Duration, needle: &str) -> bool {
        self.stderr.wait_for_all(timeout, |so_far| so_far.contains(needle))
    }

    /// Waits until `is_it` holds for what it has written to standard output.
    #[track_caller]
    pub(crate) fn has_printed(&self, is_it: impl Fn(&str) -> bool) {
        self.has_printed_within(TIMEOUT, is_it);
    }

    /// The same, for at most this long.
    #[track_caller]
    pub(crate) fn has_printed_within(&self, timeout: Duration, is_it: impl Fn(&str) -> bool) {
        assert!(self.stdout.wait_for_all(timeout, is_it), "what is waited for did not appear: {self}");
    }

    /// Writes a line to its standard input.
    #[track_caller]
    pub(crate) fn write_line(&mut self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Writes a text to its standard input, at once.
    #[track_caller]
    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(text.as_bytes()).expect("it reads its standard input");
        stdin.flush().expect("it reads its standard input");
    }

    /// Ends its standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Hangup => "HUP",
            Signal::Interrupt => "INT",
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        };
        let pid = self.pid().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send {name} to {self}");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(self) -> Output {
        self.end_within(TIMEOUT)
    }

    /// Waits for its end, at most this long.
    #[track_caller]
    pub(crate) fn end_within(mut self, timeout: Duration) -> Output {
        self.stdin = None;
        let deadline = Instant::now() + timeout;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a process of ours") {
                break status;
            }
            assert!(Instant::now() < deadline, "still running after {timeout:?}: {self}");
            // Waiting for a child has no timeout.
            thread::sleep(Duration::from_millis(5));
        };
        self.stdout.wait(|_| false);
        self.stderr.wait(|_| false);
        Output { line: self.line.clone(), status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// Signals it and waits for its end.
    #[track_caller]
    pub(crate) fn end_by(self, signal: Signal) -> Output {
        self.signal(signal);
        self.end()
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(f, &self.line, &self.stdout.text(), &self.stderr.text())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether each of these consumers has said that it consumes.
fn are_consuming(said: &str, consumers: &[&str]) -> bool {
    let has_begun = |name| said.lines().any(|line| line.ends_with(&format!(" [{name}] consuming")));
    consumers.iter().all(has_begun)
}
