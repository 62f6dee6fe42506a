//! Stack traces whose lines are not all indented: which lines go on with one depends on the language that it is of.

/// What begins a traceback of Python.
pub(super) const TRACEBACK: &str = "Traceback (most recent call last):";

/// How far the trace of the log that is being read has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trace {
    /// There is none.
    #[default]
    None,
    /// In the frames of Python.
    PythonFrames,
    /// Behind the line of Python that names the exception.
    PythonNamed,
    /// Behind `panic: …` of Go, or in the frames of a goroutine.
    Go,
    /// In the frames of PHP.
    Php,
    /// Behind Rust's `thread 'main' panicked at src/main.rs:2:5:`.
    RustLocation,
    /// Behind the message of Rust's panic.
    RustMessage,
}

impl Trace {
    /// Whether a line that is not indented goes on with it.
    pub(super) fn is_continued_by(self, line: &str) -> bool {
        let is_blank = line.trim().is_empty();
        match self {
            Self::None => false,
            Self::PythonFrames | Self::RustLocation => true,
            Self::PythonNamed => is_blank,
            Self::Go => is_blank || line.starts_with("[signal ") || is_function_of_go(line),
            Self::Php => is_blank || is_frame_of_php(line) || line.starts_with("Next "),
            Self::RustMessage => line.starts_with("note: ") || line == "stack backtrace:",
        }
    }

    /// What it is behind a line, which goes on with the log before it or not.
    pub(super) fn behind(self, line: &str, goes_on: bool) -> Self {
        let is_indented = line.starts_with([' ', '\t']);
        match self {
            _ if line.starts_with(TRACEBACK) => Self::PythonFrames,
            _ if begins_goroutine(line) => Self::Go,
            _ if begins_frames_of_php(line) => Self::Php,
            Self::PythonFrames if !is_indented => Self::PythonNamed,
            Self::RustLocation => Self::RustMessage,
            trace if goes_on => trace,
            _ if line.starts_with("panic: ") || line.starts_with("fatal error: ") => Self::Go,
            _ if line.starts_with("thread '") && line.contains(" panicked at ") && line.ends_with(':') => {
                Self::RustLocation
            }
            _ => Self::None,
        }
    }
}

/// `goroutine 1 [running]:`
pub(super) fn begins_goroutine(line: &str) -> bool {
    line.starts_with("goroutine ") && line.contains(" [") && line.ends_with("]:")
}

/// `Stack trace:`
pub(super) fn begins_frames_of_php(line: &str) -> bool {
    line == "Stack trace:"
}

/// `#0 /srv/app.php(3): save()`
fn is_frame_of_php(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `main.(*cart).save(0xc000012345, {0x0, 0x5})`, `panic({0x66a280, 0x736400})` or `created by main.main`.
fn is_function_of_go(line: &str) -> bool {
    let name = line.split('(').next().unwrap_or_default();
    let is_name = name == "panic" || name.contains('.') && !name.contains(char::is_whitespace);
    line.starts_with("created by ") || is_name && line.ends_with(')')
}
