//! Drives the binary as a person would: arguments, variables, standard input, signals.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::capture::Captured;
pub(crate) use super::output::Output;
use super::output::write_all;

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    env::var_os("LOGHOST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_loghost").into(), PathBuf::from)
}

/// A command line that has not been started. Of the variables that loghost reads, none is set but `NO_COLOR`; its cache
/// is that of the tests.
pub(crate) struct Loghost {
    command: Command,
    line: String,
    stdin: Option<Vec<u8>>,
    unread: bool,
    unless_ephemeral: &'static [&'static str],
}

/// `loghost` with these arguments.
pub(crate) fn loghost<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Loghost {
    let mut command = Command::new(binary());
    let urls = ["LOGHOST_AMQP_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL", "LOGHOST_MANAGEMENT_URL"];
    for name in urls {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    // Compiling unoptimised is slow, and the same plugins are needed again and again.
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    let line = "loghost".to_owned();
    Loghost { command, line, stdin: None, unread: false, unless_ephemeral: &[] }.args(arguments)
}

impl Loghost {
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.line = format!("{} {}", self.line, argument.as_ref().display());
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(self, arguments: I) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Started by a shell that has done this before: `umask 0`, `ulimit -f 100`.
    pub(crate) fn after(mut self, shell: &str) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{shell}; exec \"$0\" \"$@\"")).arg(self.command.get_program());
        command.args(self.command.get_args());
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self.line = format!("{shell}; {}", self.line);
        self
    }

    /// The folder it starts in.
    pub(crate) fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What it finds on standard input, which ends there.
    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Nobody reads its standard output, and it can notice.
    pub(crate) fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// Arguments that it has unless its queues go with it.
    pub(crate) fn unless_ephemeral(mut self, arguments: &'static [&'static str]) -> Self {
        self.unless_ephemeral = arguments;
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn end(self) -> Output {
        self.start().end()
    }

    /// Starts it. Without [`Self::stdin`], its standard input is open until it is closed.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.spawn(Stdio::piped(), Stdio::piped(), Stdio::piped());
        let mut stdin = child.stdin.take();
        if let Some(text) = self.stdin {
            let mut pipe = stdin.take().expect("a pipe");
            // A process that has ended by itself does not read to the end.
            thread::spawn(move || pipe.write_all(&text));
        }
        let stdout = child.stdout.take().expect("a pipe");
        let stdout = if self.unread { Captured::nothing() } else { Captured::reading(stdout) };
        let stderr = Captured::reading(child.stderr.take().expect("a pipe"));
        Running { child, line: self.line, stdin, stdout, stderr }
    }

    /// Starts it without an input, and leaves to the test what becomes of its output.
    #[track_caller]
    pub(crate) fn start_with(mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Child {
        self.spawn(Stdio::null(), stdout.into(), stderr.into())
    }

    #[track_caller]
    fn spawn(&mut self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Child {
        if !self.command.get_args().any(|argument| argument == "--ephemeral") {
            self.command.args(self.unless_ephemeral);
        }
        match self.command.stdin(stdin).stdout(stdout).stderr(stderr).spawn() {
            Ok(child) => child,
            Err(error) => panic!("{}: cannot start {}: {error}", self.line, binary().display()),
        }
    }
}

/// A signal that asks a process for something, most often to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
    Kill,
    /// Stands still until it is told to continue, or killed.
    Stop,
    Continue,
}

/// A process under way. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    line: String,
    stdin: Option<ChildStdin>,
    stdout: Captured,
    stderr: Captured,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with `needle` on standard error, and gives it.
    #[track_caller]
    pub(crate) fn says(&self, needle: &str) -> String {
        let line = self.stderr.wait(|line| line.contains(needle));
        line.unwrap_or_else(|| panic!("`{needle}` did not appear on standard error of {self}"))
    }

    /// Waits for a line with `needle` on standard output, and gives it.
    #[track_caller]
    pub(crate) fn prints(&self, needle: &str) -> String {
        let line = self.stdout.wait(|line| line.contains(needle));
        line.unwrap_or_else(|| panic!("`{needle}` did not appear on standard output of {self}"))
    }

    /// What it has printed up to the end of a line.
    pub(crate) fn stdout_so_far(&self) -> String {
        self.stdout.text()
    }

    /// What it has said on standard error up to the end of a line.
    pub(crate) fn stderr_so_far(&self) -> String {
        self.stderr.text()
    }

    /// Waits until what it has said on standard error so far is what is waited for.
    #[track_caller]
    pub(crate) fn has_said(&self, is_it: impl Fn(&str) -> bool) {
        assert!(self.stderr.wait_for_all(PATIENCE, is_it), "what is waited for was not said: {self}");
    }

    /// Waits until what it has printed so far is what is waited for.
    #[track_caller]
    pub(crate) fn has_printed(&self, is_it: impl Fn(&str) -> bool) {
        self.has_printed_within(PATIENCE, is_it);
    }

    /// The same, for at most this long.
    #[track_caller]
    pub(crate) fn has_printed_within(&self, patience: Duration, is_it: impl Fn(&str) -> bool) {
        assert!(self.stdout.wait_for_all(patience, is_it), "what is waited for did not appear: {self}");
    }

    /// Writes a line to its standard input.
    #[track_caller]
    pub(crate) fn write_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it reads its standard input");
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
        self.end_within(PATIENCE)
    }

    /// Waits for its end, at most this long.
    #[track_caller]
    pub(crate) fn end_within(mut self, patience: Duration) -> Output {
        self.stdin = None;
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a process of ours") {
                break status;
            }
            assert!(Instant::now() < deadline, "still running after {patience:?}: {self}");
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

/// A command that prints more than anybody reads, and is killed when this goes out of scope.
pub(crate) struct Stuck {
    child: Child,
    _unread: BufReader<ChildStdout>,
}

impl Stuck {
    /// Starts it, and waits for the first line.
    #[track_caller]
    pub(crate) fn start(command: Loghost) -> Self {
        let (child, unread, _) = first_lines(command, 1);
        Self { child, _unread: unread }
    }
}

/// The first lines of what a command prints, when nobody reads the rest, and it has ended.
#[track_caller]
pub(crate) fn beginning(command: Loghost, lines: usize) -> String {
    let (mut child, unread, text) = first_lines(command, lines);
    drop(unread);
    assert!(child.wait().expect("a process of ours").success(), "{text}");
    text
}

/// Starts a command, and waits for its first lines; nothing more is read.
#[track_caller]
fn first_lines(command: Loghost, lines: usize) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = command.start_with(Stdio::piped(), Stdio::inherit());
    let mut stdout = BufReader::with_capacity(1, child.stdout.take().expect("a pipe"));
    let mut text = String::new();
    for _ in 0..lines {
        let read = stdout.read_line(&mut text).expect("text");
        assert!(read > 0, "nothing is printed after `{text}`");
    }
    (child, stdout, text)
}

impl Drop for Stuck {
    fn drop(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        assert!(killed.is_ok() || thread::panicking(), "{killed:?}");
    }
}
