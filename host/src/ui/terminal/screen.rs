//! The terminal as a screen: taken for a view that changes in place, and given back as it was found.
//!
//! While it is taken, what is printed and said waits, so that no line is written across the view: of each consumer the last
//! metric, and of the log the last lines. It is all written when the screen is given back.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::style::ResetColor;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use loghost_system as system;

#[cfg(unix)]
use super::fatal_signals;
use super::is_able;
use super::output::{ERR, OUT};
use super::stream::{Stream, WaitingWriter};

/// Whether the screen is taken.
static IS_TAKEN: Mutex<bool> = Mutex::new(false);

/// How long lines are waited for that are being written when the screen is taken.
const LINES_BEFORE: Duration = Duration::from_millis(200);

/// Whether a person sits at a terminal that can be a screen, and this process is the one that has it.
pub(crate) fn has_screen() -> bool {
    is_able() && io::stdin().is_terminal() && io::stdout().is_terminal() && is_in_foreground()
}

/// Whether the terminal is this process's at the moment: not that of a shell that has it in the background.
#[cfg(unix)]
pub(crate) fn is_in_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Always: there are no shells with jobs here.
#[cfg(not(unix))]
pub(crate) fn is_in_foreground() -> bool {
    true
}

/// The screen. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Screen(());

impl Screen {
    /// Takes the screen.
    pub(crate) fn take() -> io::Result<Self> {
        let mut is_taken = IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        OUT.finish(LINES_BEFORE);
        ERR.finish(LINES_BEFORE);
        OUT.hold();
        if io::stderr().is_terminal() {
            ERR.hold();
        }
        *is_taken = true;
        drop(is_taken);
        let screen = Self(());
        #[cfg(unix)]
        fatal_signals::screen_is_taken()?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, Clear(ClearType::All), Hide)?;
        Ok(screen)
    }

    /// Where a view is written, as long as the screen is taken: what comes later is discarded.
    pub(crate) fn writer() -> BufWriter<impl Write + use<>> {
        let writer: Stdout = io::stdout();
        BufWriter::with_capacity(1 << 16, WhileTaken(WaitingWriter { writer, stream: Stream::Out }))
    }
}

/// Discards what is written while the screen is not taken: whoever draws may not know yet that it was given back.
struct WhileTaken<W>(W);

impl<W: Write> Write for WhileTaken<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_taken = IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_taken { self.0.write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let is_taken = IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_taken { self.0.flush() } else { Ok(()) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the screen back, if it is taken.
fn give_back() {
    let mut is_taken = IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *is_taken) {
        // A terminal that is gone need not be as it was.
        let _ = execute!(io::stdout(), ResetColor, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        #[cfg(unix)]
        fatal_signals::screen_is_left();
        OUT.release();
        ERR.release();
    }
}

/// Gives the screen back, if it is taken; does not wait for longer than `timeout` for a terminal that takes nothing.
pub(super) fn give_back_within(timeout: Duration) {
    // Whoever has the lock takes it, gives it back, or writes to it.
    if IS_TAKEN.try_lock().is_ok_and(|is_taken| !*is_taken) {
        return;
    }
    let (done, given_back) = mpsc::channel();
    let spawned = system::spawn("screen", move || {
        give_back();
        let _ = done.send(());
    });
    if spawned.is_ok() {
        let _ = given_back.recv_timeout(timeout);
    }
}
