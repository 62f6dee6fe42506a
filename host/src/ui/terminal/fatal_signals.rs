//! Signals that end the process at once, SIGQUIT and SIGABRT (also of an abort in the process itself): what the screen has
//! changed of the terminal is changed back before, and then they do what they do by default.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGABRT, SIGQUIT};
use signal_hook::low_level::{emulate_default_handler, register};

/// How the terminal was when the screen was taken for the first time.
static MODES: OnceLock<Termios> = OnceLock::new();

/// Whether the screen is taken.
static IS_CHANGED: AtomicBool = AtomicBool::new(false);

/// What resets the colours, leaves the alternate screen and shows the cursor: `Screen` writes the same with crossterm.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?1049l\x1b[?25h";

/// From now on until [`screen_is_left`], these signals change the terminal back; to be called before it is changed.
pub(super) fn screen_is_taken() -> io::Result<()> {
    let modes = tcgetattr(io::stdin())?;
    if MODES.set(modes).is_ok() {
        for signal in [SIGQUIT, SIGABRT] {
            // SAFETY: the handler calls what may be called in one: it reads atomics, makes two system calls, and ends the process.
            #[expect(
                unsafe_code,
                reason = "an abort is over before anything else than its handler could run"
            )]
            unsafe {
                register(signal, move || end_by(signal))?;
            }
        }
    }
    IS_CHANGED.store(true, Ordering::SeqCst);
    Ok(())
}

/// The terminal is as it was.
pub(super) fn screen_is_left() {
    IS_CHANGED.store(false, Ordering::SeqCst);
}

fn end_by(signal: i32) {
    if IS_CHANGED.swap(false, Ordering::SeqCst) {
        // Nobody is left who could be told of an error. The modes first: writing waits where the terminal is stopped.
        if let Some(modes) = MODES.get() {
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, modes);
        }
        let _ = rustix::io::write(rustix::stdio::stdout(), LEAVE);
    }
    let _ = emulate_default_handler(signal);
}
