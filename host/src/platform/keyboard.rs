//! Whether a key was pressed.

use std::io;
use std::time::Duration;

/// Waits for a key, for no longer than this; whether there is one. An error if the terminal has gone.
#[cfg(unix)]
pub(crate) fn is_pressed(within: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let within = Timespec { tv_sec: within.as_secs().cast_signed(), tv_nsec: within.subsec_nanos().into() };
    match poll(&mut fds, Some(&within)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let happened = fds[0].revents();
    if happened.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal has gone"));
    }
    Ok(happened.contains(PollFlags::IN))
}

/// Waits for a key, for no longer than this; whether there is one.
#[cfg(not(unix))]
pub(crate) fn is_pressed(within: Duration) -> io::Result<bool> {
    crossterm::event::poll(within)
}
