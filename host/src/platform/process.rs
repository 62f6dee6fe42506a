//! Processes: what this one has used, what another one takes, and more of this one's kind.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::process::Stdio;
use std::time::Duration;

#[cfg(target_os = "linux")]
use loghost_system as system;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};

/// The time of all processors that this process has used; none where that cannot be told.
pub(crate) fn cpu_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::try_from(time).ok()
    }
    #[cfg(not(unix))]
    None
}

/// How many bytes of memory the process `pid` has at the moment; none where that cannot be told.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What the processor calls itself; none where that cannot be told.
pub(crate) fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start().strip_prefix(':')?.trim().to_owned())
}

/// Another process of this program. It is killed when this goes out of scope, its standard input ends with
/// this process, and signals from the terminal do not reach it.
pub(crate) struct ChildProcess {
    child: Child,
    lines: Lines<BufReader<Box<dyn AsyncRead + Send + Sync + Unpin>>>,
}

/// Which of its outputs is read; the other one is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChildOutput {
    Output,
    Errors,
    /// None, but it has a terminal of its own, of 200 columns and 50 rows, whose screen nobody sees: on Linux, with
    /// `setsid` of util-linux.
    Screen,
}

impl ChildProcess {
    /// Starts one with these arguments and variables.
    pub(crate) fn start<'a>(
        arguments: impl IntoIterator<Item: AsRef<OsStr>>,
        variables: impl IntoIterator<Item = (&'a str, String)>,
        output: ChildOutput,
    ) -> io::Result<Self> {
        if output == ChildOutput::Screen {
            return Self::on_screen(arguments, variables);
        }
        let mut command = Command::new(env::current_exe()?);
        command.args(arguments).envs(variables).stdin(Stdio::piped()).kill_on_drop(true);
        command.stdout(if output == ChildOutput::Output { Stdio::piped() } else { Stdio::null() });
        command.stderr(if output == ChildOutput::Errors { Stdio::piped() } else { Stdio::null() });
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let heard: Option<Box<dyn AsyncRead + Send + Sync + Unpin>> = match output {
            ChildOutput::Output => child.stdout.take().map(|pipe| Box::new(pipe) as _),
            ChildOutput::Errors => child.stderr.take().map(|pipe| Box::new(pipe) as _),
            ChildOutput::Screen => None,
        };
        let heard = heard.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, lines: BufReader::new(heard).lines() })
    }

    #[cfg(target_os = "linux")]
    fn on_screen<'a>(
        arguments: impl IntoIterator<Item: AsRef<OsStr>>,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> io::Result<Self> {
        use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
        use rustix::termios::{Winsize, tcsetwinsize};
        // A process that has this end as well would keep the terminal open.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags)?;
        grantpt(&terminal)?;
        unlockpt(&terminal)?;
        tcsetwinsize(&terminal, Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 })?;
        let end = ioctl_tiocgptpeer(&terminal, flags)?;
        // A session has a terminal, and `setsid` begins one in the same process.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(env::current_exe()?).args(arguments).envs(variables);
        command.env("TERM", "xterm-256color").kill_on_drop(true);
        command.stdin(end.try_clone()?).stdout(end).stderr(Stdio::null());
        let child = command.spawn()?;
        system::spawn("screen of another process", move || {
            // It ends with an error when the process has ended.
            let _ = io::copy(&mut fs::File::from(terminal), &mut io::sink());
        })
        .map_err(io::Error::other)?;
        let nothing: Box<dyn AsyncRead + Send + Sync + Unpin> = Box::new(tokio::io::empty());
        Ok(Self { child, lines: BufReader::new(nothing).lines() })
    }

    #[cfg(not(target_os = "linux"))]
    fn on_screen<'a>(
        _arguments: impl IntoIterator<Item: AsRef<OsStr>>,
        _variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Its number, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The next line that it writes; none when it has ended.
    pub(crate) async fn line(&mut self) -> io::Result<Option<String>> {
        self.lines.next_line().await
    }

    /// Ends it, and waits until it has ended.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.child.kill().await
    }
}
