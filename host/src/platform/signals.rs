//! Being asked to end.

use std::io;
use std::sync::OnceLock;

/// What is done before the process ends at once.
static BEFORE_EXIT: OnceLock<fn()> = OnceLock::new();

/// Has this done before a second signal ends the process; the first call counts.
pub(crate) fn before_exit(done: fn()) {
    let _ = BEFORE_EXIT.set(done);
}

/// Is ready at the first SIGINT, SIGTERM or SIGHUP; a second SIGINT or SIGTERM ends the process at once, which
/// loses nothing, because what is not acknowledged comes again. A second SIGHUP does not: a terminal that closes
/// brings one from the system and one from the shell. It is left alone where whoever started the process has it
/// ignored, as `nohup` does.
#[cfg(unix)]
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    listen(if is_hangup_ignored() { AtHangup::GoOn } else { AtHangup::End })
}

/// What is done at SIGHUP.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtHangup {
    /// Nothing: whoever started the process wants it to outlive its terminal, or it has none.
    GoOn,
    /// The process ends.
    End,
    /// It ends if its terminal has gone. SIGHUP may have been sent for something else.
    EndWithTerminal,
}

#[cfg(unix)]
impl AtHangup {
    fn ends(self) -> bool {
        match self {
            Self::GoOn => false,
            Self::End => true,
            Self::EndWithTerminal => !has_terminal(),
        }
    }
}

/// Whether this process has a terminal that it is controlled from: the system takes it away when it is closed.
#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

#[cfg(unix)]
fn listen(at_hangup: AtHangup) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = match at_hangup {
        AtHangup::GoOn => None,
        AtHangup::End | AtHangup::EndWithTerminal => Some(signal(SignalKind::hangup())?),
    };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (first, interrupted) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let hangup = async {
            let Some(hangup) = &mut hangup else { return std::future::pending().await };
            while hangup.recv().await.is_some() && !at_hangup.ends() {}
        };
        let number = tokio::select! {
            () = hangup => 1,
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        };
        let _ = first.send(());
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if let Some(done) = BEFORE_EXIT.get() {
            done();
        }
        std::process::exit(128 + number);
    });
    Ok(async move {
        // The sender is only dropped after it has been used.
        let _ = interrupted.await;
    })
}

/// Whether SIGHUP was ignored when the process began, as far as the system tells.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // A bit for each signal, from the first, which this one is.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Is ready at Ctrl-C, and at the key that stands for it.
#[cfg(not(unix))]
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = INTERRUPTED.notified() => {}
        }
    })
}

#[cfg(not(unix))]
static INTERRUPTED: tokio::sync::Notify = tokio::sync::Notify::const_new();

/// Has this process do what it does at Ctrl-C.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where it can fail")]
pub(crate) fn interrupt() -> io::Result<()> {
    INTERRUPTED.notify_one();
    Ok(())
}

/// There are no shells with jobs here.
#[cfg(not(unix))]
pub(crate) struct JobControl;

#[cfg(not(unix))]
impl JobControl {
    #[expect(clippy::unnecessary_wraps, reason = "as where it can fail")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Is never ready.
    pub(crate) async fn next(&mut self) -> JobRequest {
        std::future::pending().await
    }
}

/// Suspends nothing.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where it can fail")]
pub(crate) fn stop_job() -> io::Result<()> {
    Ok(())
}

/// Has this process do what it does at Ctrl-C.
#[cfg(unix)]
pub(crate) fn interrupt() -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    Ok(kill_process(getpid(), Signal::INT)?)
}

/// Has this process do what it does at `Ctrl-\`.
#[cfg(unix)]
pub(crate) fn quit() -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    Ok(kill_process(getpid(), Signal::QUIT)?)
}

/// Does nothing: there is no such key here.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where it can fail")]
pub(crate) fn quit() -> io::Result<()> {
    Ok(())
}

/// What a shell with jobs wants of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobRequest {
    /// That it is suspended, as at Ctrl-Z.
    Suspend,
    /// That it goes on.
    Continued,
}

/// What a shell with jobs wants of this process, each time: it is no longer suspended by itself.
#[cfg(unix)]
pub(crate) struct JobControl {
    suspend: tokio::signal::unix::Signal,
    continued: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl JobControl {
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::process::Signal;
        use tokio::signal::unix::{SignalKind, signal};
        let suspend = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
        Ok(Self { suspend, continued: signal(SignalKind::from_raw(Signal::CONT.as_raw()))? })
    }

    /// What it wants next.
    pub(crate) async fn next(&mut self) -> JobRequest {
        tokio::select! {
            _ = self.suspend.recv() => JobRequest::Suspend,
            _ = self.continued.recv() => JobRequest::Continued,
        }
    }
}

/// Suspends this process, and those of its job, until a shell has it go on.
#[cfg(unix)]
pub(crate) fn stop_job() -> io::Result<()> {
    Ok(rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?)
}

/// SIGHUP, each time it is a wish for new versions: not when it comes because the terminal has gone.
#[cfg(unix)]
pub(crate) struct Hangups {
    signal: tokio::signal::unix::Signal,
    at_hangup: AtHangup,
}

#[cfg(unix)]
impl Hangups {
    /// From now on, it no longer ends the process.
    pub(crate) fn new() -> io::Result<Self> {
        // Before the signal is taken, which is not ignored then.
        let outlives_terminal = is_hangup_ignored() || !has_terminal();
        let at_hangup = if outlives_terminal { AtHangup::GoOn } else { AtHangup::EndWithTerminal };
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        Ok(Self { signal, at_hangup })
    }

    /// Is ready when it comes.
    pub(crate) async fn next(&mut self) {
        while self.signal.recv().await.is_some() {
            if !self.at_hangup.ends() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// As [`interrupted`], but at SIGHUP only if the terminal has gone.
    pub(crate) fn interrupted(&self) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        listen(self.at_hangup)
    }
}

/// There is none here.
#[cfg(not(unix))]
pub(crate) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "as where there are some")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Is never ready.
    pub(crate) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }

    /// Is ready at Ctrl-C.
    pub(crate) fn interrupted(&self) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        interrupted()
    }
}
