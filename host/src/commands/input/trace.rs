//! Stack traces whose lines are not all indented: which lines go on with one depends on the language that it is of.

/// What begins the frames of an exception that Laravel and Monolog write.
const LARAVEL: &str = "[stacktrace]";

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
    /// In the frames of PHP as Laravel and Monolog write them, within the text of a JSON object.
    Laravel,
    /// Behind Rust's `thread 'main' panicked at src/main.rs:2:5:`.
    RustLocation,
    /// Behind the first line of the message of Rust's panic.
    RustMessage,
    /// Behind that message, in or behind a backtrace.
    RustBacktrace,
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
            Self::Laravel => {
                is_blank
                    || is_frame_of_php(line)
                    || line.starts_with("[previous exception] ")
                    || ends_laravel(line)
            }
            Self::RustMessage => ends_message_of_rust(line),
            Self::RustBacktrace => is_blank || ends_message_of_rust(line),
        }
    }

    /// What it is behind a line, which goes on with the log before it or not.
    pub(super) fn behind(self, line: &str, goes_on: bool) -> Self {
        let is_indented = line.starts_with([' ', '\t']);
        match self {
            _ if line.starts_with(TRACEBACK) => Self::PythonFrames,
            _ if begins_goroutine(line) => Self::Go,
            _ if line == LARAVEL => Self::Laravel,
            _ if begins_frames_of_php(line) => Self::Php,
            Self::Laravel if ends_laravel(line) => Self::None,
            Self::PythonFrames if !is_indented => Self::PythonNamed,
            Self::RustLocation => Self::RustMessage,
            Self::RustMessage if ends_message_of_rust(line) => Self::RustBacktrace,
            trace if goes_on => trace,
            _ if line.starts_with("panic: ") || line.starts_with("fatal error: ") => Self::Go,
            _ if begins_panic_of_rust(line) => Self::RustLocation,
            _ => Self::None,
        }
    }
}

/// `goroutine 1 [running]:`
pub(super) fn begins_goroutine(line: &str) -> bool {
    line.starts_with("goroutine ") && line.contains(" [") && line.ends_with("]:")
}

/// `Stack trace:`, and what Laravel and Monolog write instead.
pub(super) fn begins_frames_of_php(line: &str) -> bool {
    line == "Stack trace:" || line == LARAVEL
}

/// `"}` or `","user":4}`: what follows the frames in the object that they are in.
fn ends_laravel(line: &str) -> bool {
    line.starts_with("\"}") || line.starts_with("\",\"")
}

/// `thread 'main' panicked at src/main.rs:2:5:`
fn begins_panic_of_rust(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ") && line.ends_with(':')
}

/// What follows the message of Rust's panic, and tells that all before it was of that.
pub(super) fn ends_message_of_rust(line: &str) -> bool {
    line == "stack backtrace:" || line.starts_with("note: ")
}

/// Whether a line may be one of the message of Rust's panic: not what begins another panic, nor what looks like the beginning of
/// a log.
pub(super) fn may_be_in_message_of_rust(line: &str) -> bool {
    let begins_date = line
        .get(..5)
        .is_some_and(|year| year.ends_with('-') && year.bytes().take(4).all(|digit| digit.is_ascii_digit()));
    !begins_date && !begins_panic_of_rust(line) && !line.starts_with("{\"") && !line.starts_with(['[', '<'])
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
