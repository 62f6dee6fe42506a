//! Commands whose output is not read to the end.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::thread;

use super::Loghost;

/// A command whose output is read no further than the first line. It is killed when this is dropped.
pub(crate) struct Unread {
    child: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Unread {
    /// Starts it, and waits for the first line.
    #[track_caller]
    pub(crate) fn start(command: Loghost) -> Self {
        let (child, stdout, _) = start_and_read(command, 1);
        Self { child, _stdout: stdout }
    }
}

/// Runs a command, closes its standard output after these first lines, and gives them when it has ended.
#[track_caller]
pub(crate) fn first_lines(command: Loghost, lines: usize) -> String {
    let (mut child, stdout, text) = start_and_read(command, lines);
    drop(stdout);
    assert!(child.wait().expect("a process of ours").success(), "{text}");
    text
}

/// Starts a command, and waits for its first lines; nothing more is read.
#[track_caller]
fn start_and_read(command: Loghost, lines: usize) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = command.start_with(Stdio::piped(), Stdio::inherit());
    let mut stdout = BufReader::with_capacity(1, child.stdout.take().expect("a pipe"));
    let mut text = String::new();
    for _ in 0..lines {
        let read = stdout.read_line(&mut text).expect("text");
        assert!(read > 0, "nothing is printed after `{text}`");
    }
    (child, stdout, text)
}

impl Drop for Unread {
    fn drop(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        assert!(killed.is_ok() || thread::panicking(), "{killed:?}");
    }
}
