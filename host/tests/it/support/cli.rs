//! Runs the binary: arguments, environment variables, standard input.

mod running;
mod unread;

use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

pub(crate) use self::running::{Running, Signal};
pub(crate) use self::unread::{Unread, first_lines};
use super::capture::Captured;
pub(crate) use super::output::Output;
use super::terminal::{Size, Terminal};

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    env::var_os("LOGHOST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_loghost").into(), PathBuf::from)
}

/// A command line that has not been started. Of the variables that loghost reads, only `NO_COLOR` is set, and the
/// cache is that of the tests.
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
    let is_read = |name: &OsStr| {
        let urls = [
            "AMQP_URL",
            "RABBITMQ_URL",
            "CLOUDAMQP_URL",
            "CREDENTIALS_DIRECTORY",
            "NOTIFY_SOCKET",
            "WATCHDOG_USEC",
        ];
        let name = name.to_string_lossy();
        name.starts_with("LOGHOST_") || name.starts_with("OTEL_") || urls.contains(&&*name)
    };
    for (name, _) in env::vars_os().filter(|(name, _)| is_read(name)) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    // An unoptimised build compiles plugins slowly, and tests use the same ones again and again.
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

    /// Started by a shell that runs this first: `umask 0`, `ulimit -f 100`.
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

    /// Its working directory.
    pub(crate) fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Its standard input.
    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// Arguments that it has unless it is run with `--ephemeral`. With those for streams, it reads them from their beginning
    /// unless it has a state: as queues, they are declared before logs are published that are read later.
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
            // Writing fails if the process has ended before it read everything.
            thread::spawn(move || pipe.write_all(&text));
        }
        let stdout = child.stdout.take().expect("a pipe");
        let stdout = if self.unread { Captured::nothing() } else { Captured::reading(stdout) };
        let stderr = Captured::reading(child.stderr.take().expect("a pipe"));
        Running::new(child, self.line, stdin, stdout, stderr)
    }

    /// Starts it without an input, and with these as its outputs.
    #[track_caller]
    pub(crate) fn start_with(mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Child {
        self.spawn(Stdio::null(), stdout.into(), stderr.into())
    }

    /// Starts it on a terminal of this size.
    #[track_caller]
    pub(crate) fn on_terminal(mut self, size: Size) -> Terminal {
        self.complete();
        if self.command.get_envs().all(|(name, _)| name != "TERM") {
            self.command.env("TERM", "xterm-256color");
        }
        Terminal::start(&self.command, self.line, size)
    }

    /// Has it typed at a shell with jobs, and this after it, on a terminal of this size.
    #[track_caller]
    pub(crate) fn typed_at_shell(mut self, after: &str, size: Size) -> Terminal {
        self.complete();
        self.command.env("TERM", "xterm-256color").env("PS1", "shell> ");
        let mut shell = Command::new("bash");
        shell.args(["--norc", "--noprofile", "-i"]);
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let words: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
        let mut terminal = Terminal::start(&shell, self.line, size);
        terminal.shows("shell> ");
        terminal.press(&format!("{} {after}\n", words.join(" ")));
        terminal
    }

    fn has(&self, argument: &str) -> bool {
        self.command.get_args().any(|other| other == argument)
    }

    /// Whether it goes on from a state.
    fn has_state(&self) -> bool {
        let state = self.command.get_args().skip_while(|argument| *argument != "--state").nth(1);
        state.is_some_and(|state| Path::new(state).join("loghost.redb").exists())
    }

    #[track_caller]
    fn spawn(&mut self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Child {
        self.complete();
        match self.command.stdin(stdin).stdout(stdout).stderr(stderr).spawn() {
            Ok(child) => child,
            Err(error) => panic!("{}: cannot start {}: {error}", self.line, binary().display()),
        }
    }

    /// Adds the arguments that it is to have unless it is ephemeral.
    fn complete(&mut self) {
        if !self.has("--ephemeral") {
            self.command.args(self.unless_ephemeral);
            let reads = self.unless_ephemeral.contains(&"stream") && self.has("run");
            if reads && !self.has("--from") && !self.has("--declare-only") && !self.has_state() {
                self.command.args(["--from", "first"]);
            }
        }
    }
}
