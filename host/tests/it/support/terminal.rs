//! A terminal that loghost runs on: a pseudo-terminal, and an emulator of what a person sees.
//!
//! A process has it as its controlling terminal, by `setsid --ctty` of util-linux.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::fd::OwnedFd;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::TIMEOUT;

/// A terminal, and the process on it, which is killed when this is dropped.
pub(crate) struct Terminal {
    child: Child,
    line: String,
    keyboard: File,
    /// The process's end.
    other_end: OwnedFd,
    modes: LocalModes,
    seen: Seen,
}

/// What a person sees, as it comes.
#[derive(Clone)]
struct Seen(Arc<(Mutex<Emulated>, Condvar)>);

struct Emulated {
    parser: vt100::Parser,
    /// All that was written.
    written: String,
    /// Nothing more is read.
    is_closing: bool,
    ended: bool,
}

/// Its size, in columns and rows.
pub(crate) type Size = (u16, u16);

impl Terminal {
    /// Starts `command` on a terminal of this size.
    #[track_caller]
    pub(crate) fn start(command: &Command, line: String, size: Size) -> Self {
        // A process that has the keyboard's end would keep the terminal open.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).expect("a pseudo-terminal");
        grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).expect("a pseudo-terminal of ours");
        let other_end = ioctl_tiocgptpeer(&keyboard, flags).expect("its other end");
        tcsetwinsize(&keyboard, winsize(size)).expect("it can have a size");
        let modes = tcgetattr(&other_end).expect("it has modes").local_modes;
        let end = || Stdio::from(other_end.try_clone().expect("another descriptor"));

        let mut setsid = Command::new("setsid");
        setsid.arg("--ctty").arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            setsid.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => setsid.env(name, value),
                None => setsid.env_remove(name),
            };
        }
        let child = setsid.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid of util-linux");
        let keyboard = File::from(keyboard);
        let seen = Seen::by_reading(keyboard.try_clone().expect("another descriptor"), size);
        Self { child, line, keyboard, other_end, modes, seen }
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn shows(&self, needle: &str) {
        self.shows_that(needle, |screen| screen.contains(needle));
    }

    /// Waits until this is no longer on the screen.
    #[track_caller]
    pub(crate) fn shows_no_longer(&self, needle: &str) {
        self.shows_that(needle, |screen| !screen.contains(needle));
    }

    /// Waits until `is_it` holds for what is on the screen.
    #[track_caller]
    pub(crate) fn shows_that(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        let is_so = self.seen.wait(|emulated| is_it(&emulated.parser.screen().contents()));
        assert!(is_so, "waited in vain for: {what}\n{self}");
    }

    /// Waits until this was written, at whatever place.
    #[track_caller]
    pub(crate) fn has_written(&self, needle: &str) {
        assert!(self.seen.wait(|it| it.written.contains(needle)), "`{needle}` was not written\n{self}");
    }

    /// Waits until `is_it` holds for all that was written.
    #[track_caller]
    pub(crate) fn has_written_that(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        assert!(self.seen.wait(|it| is_it(&it.written)), "`{what}` was not written\n{self}");
    }

    /// What is on the screen, a line for each row.
    pub(crate) fn screen(&self) -> String {
        let emulated = self.seen.lock();
        let screen = emulated.parser.screen();
        let rows: Vec<String> =
            screen.rows(0, screen.size().1.get()).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n")
    }

    /// All that was written so far.
    pub(crate) fn written(&self) -> String {
        self.seen.lock().written.clone()
    }

    /// How often a view was drawn: each time, the cursor is hidden at last.
    pub(crate) fn drawings(&self) -> usize {
        self.seen.lock().written.matches("\x1b[?25l").count()
    }

    /// Whether anything on the screen has a colour.
    pub(crate) fn has_colours(&self) -> bool {
        let emulated = self.seen.lock();
        let screen = emulated.parser.screen();
        let (rows, columns) = screen.size();
        (0..rows.get()).any(|row| {
            let mut cells = (0..columns.get()).filter_map(|column| screen.cell(row, column));
            cells.any(|cell| cell.fgcolor() != vt100::Color::Default)
        })
    }

    /// Presses keys.
    #[track_caller]
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal that takes keys");
    }

    /// Gives it another size.
    #[track_caller]
    pub(crate) fn resize(&mut self, size: Size) {
        let (columns, rows) = nonzero(size);
        self.seen.lock().parser.set_size(rows, columns);
        tcsetwinsize(&self.keyboard, winsize(size)).expect("it can have another size");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name without `SIG`, to the process that was started.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        let kill =
            Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.pid().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()), "cannot send {name}\n{self}");
    }

    /// Waits until it is as it was before a view was on it: no alternate screen, a cursor, and the modes that it had.
    #[track_caller]
    fn is_restored(&self) {
        self.is_left();
        let modes = tcgetattr(&self.other_end).expect("it has modes").local_modes;
        assert_eq!(modes, self.modes, "the modes are not restored\n{self}");
    }

    /// Waits until no view is on it.
    #[track_caller]
    pub(crate) fn is_left(&self) {
        let is_so = self.seen.wait(|emulated| {
            let screen = emulated.parser.screen();
            !screen.alternate_screen() && !screen.hide_cursor()
        });
        assert!(is_so, "there is still a view\n{self}");
    }

    /// Waits until a view is on it.
    #[track_caller]
    pub(crate) fn is_taken(&self) {
        let is_so =
            self.seen.wait(|it| it.parser.screen().alternate_screen() && it.parser.screen().hide_cursor());
        assert!(is_so, "there is no view\n{self}");
    }

    /// Waits for the end of the process, which must leave the terminal as it was; what is on the screen then.
    #[track_caller]
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        self.is_restored();
        // All that it has written is read before what is written now.
        rustix::io::write(&self.other_end, b"\x1b]0;end\x07").expect("the terminal is ours");
        self.has_written("\x1b]0;end\x07");
        (status, self.screen())
    }

    /// Closes it, as a person closes a window.
    #[track_caller]
    pub(crate) fn close(&mut self) {
        self.seen.lock().is_closing = true;
        // So that whoever reads sees that.
        rustix::io::write(&self.other_end, b" ").expect("the terminal is ours");
        assert!(self.seen.wait(|emulated| emulated.ended), "it is still read\n{self}");
        self.keyboard = File::open("/dev/null").expect("it is on every system");
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().expect("a process of ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running: {self}");
            // Waiting for a child has no timeout.
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Seen {
    fn by_reading(mut terminal: File, size: Size) -> Self {
        let (columns, rows) = nonzero(size);
        let parser = vt100::Parser::new(rows, columns, 0);
        let emulated = Emulated { parser, written: String::new(), is_closing: false, ended: false };
        let seen = Self(Arc::new((Mutex::new(emulated), Condvar::new())));
        let writer = seen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = terminal.read(&mut bytes);
                let mut emulated = writer.lock();
                match read {
                    Ok(n @ 1..) if !emulated.is_closing => {
                        emulated.parser.process(&bytes[..n]);
                        emulated.written.push_str(&String::from_utf8_lossy(&bytes[..n]));
                    }
                    _ => {
                        drop(terminal);
                        emulated.ended = true;
                        writer.0.1.notify_all();
                        return;
                    }
                }
                writer.0.1.notify_all();
            }
        });
        seen
    }

    fn wait(&self, is_it: impl Fn(&Emulated) -> bool) -> bool {
        let deadline = Instant::now() + TIMEOUT;
        let mut emulated = self.lock();
        loop {
            if is_it(&emulated) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if emulated.ended || left.is_zero() {
                return false;
            }
            emulated = self.0.1.wait_timeout(emulated, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Emulated> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nonzero((columns, rows): Size) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(columns).expect("columns"), NonZeroU16::new(rows).expect("rows"))
}

fn winsize((columns, rows): Size) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl fmt::Display for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.line, self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
