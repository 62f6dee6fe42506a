//! Lines that belong to one log, as those of a stack trace do, are joined. Knows no clock: who reads the lines says when
//! nothing more has come.
//!
//! A line goes on with the log before it, if
//! - it is indented, as the frames of Java, JavaScript, .NET and Ruby are;
//! - it begins with `Caused by:`, `Suppressed:`, `Traceback (most recent call last):`, `During handling of the above exception`,
//!   `The above exception was` or `--- End of`;
//! - it is a class of an exception, with its package and perhaps a text: `java.io.IOException: disk full`;
//! - it begins the frames of Go (`goroutine 1 [running]:`) or PHP (`Stack trace:`, `[stacktrace]`);
//! - it goes on with a [`Trace`] of Python, Go, PHP or Rust, or is a blank line in or behind one.
//!
//! The message of a Rust panic may have several lines, and only what follows it tells that they were of it: until then these
//! lines are neither joined nor logs.

use super::trace::{
    TRACEBACK, Trace, begins_frames_of_php, begins_goroutine, ends_message_of_rust, may_be_in_message_of_rust,
};

/// How much may be joined.
const MOST_LINES: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024;

/// How many lines the message of a Rust panic may have behind its first.
const MOST_AHEAD: usize = 100;

const CONTINUES: [&str; 6] = [
    "Caused by:",
    "Suppressed:",
    TRACEBACK,
    "During handling of the above exception",
    "The above exception was",
    "--- End of",
];

/// The log whose lines are being read.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    text: String,
    lines: usize,
    trace: Trace,
    /// Lines behind it that may be of it, and their bytes.
    ahead: Vec<String>,
    bytes_ahead: usize,
}

impl Joiner {
    /// Takes the next line; returns the logs before it, if the line does not go on with them, or there is no more room.
    pub(super) fn push(&mut self, line: &str) -> Vec<String> {
        let mut logs = Vec::new();
        let is_undecided = self.trace == Trace::RustMessage;
        if is_undecided && ends_message_of_rust(line) {
            for ahead in self.take_ahead() {
                self.append(&ahead);
            }
        } else if is_undecided && self.may_be_of_message(line) {
            self.bytes_ahead += line.len() + 1;
            self.ahead.push(line.to_owned());
            return logs;
        } else {
            self.release(&mut logs);
        }
        logs.extend(self.join(line));
        logs
    }

    /// Whether what comes later may tell that this line is of the message of a panic.
    fn may_be_of_message(&self, line: &str) -> bool {
        let is_indented = self.ahead.is_empty() && line.starts_with([' ', '\t']);
        let lines = self.lines + self.ahead.len() + 1;
        let bytes = self.text.len() + self.bytes_ahead + line.len();
        may_be_in_message_of_rust(line)
            && !is_indented
            && self.ahead.len() < MOST_AHEAD
            && lines < MOST_LINES
            && bytes < MOST_BYTES
    }

    fn take_ahead(&mut self) -> Vec<String> {
        self.bytes_ahead = 0;
        std::mem::take(&mut self.ahead)
    }

    /// Takes the lines that were none of a panic's message as any others; appends the logs before them.
    fn release(&mut self, logs: &mut Vec<String>) {
        for line in self.take_ahead() {
            logs.extend(self.join(&line));
        }
    }

    fn join(&mut self, line: &str) -> Option<String> {
        let goes_on = self.lines > 0 && self.is_continued_by(line);
        let has_room = self.lines < MOST_LINES && self.text.len() + line.len() < MOST_BYTES;
        let before = if goes_on && has_room { None } else { self.take_one() };
        self.trace = self.trace.behind(line, goes_on);
        self.append(line);
        before
    }

    fn append(&mut self, line: &str) {
        if self.lines > 0 {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.lines += 1;
    }

    fn is_continued_by(&self, line: &str) -> bool {
        line.starts_with([' ', '\t']) && !line.trim().is_empty()
            || CONTINUES.iter().any(|start| line.starts_with(start))
            || names_an_exception(line)
            || begins_goroutine(line)
            || begins_frames_of_php(line)
            || self.trace.is_continued_by(line)
    }

    /// Whether lines of a log have been read.
    pub(super) fn has_begun(&self) -> bool {
        self.lines > 0
    }

    /// How many lines of it, and of what may be of it.
    pub(super) fn lines(&self) -> usize {
        self.lines + self.ahead.len()
    }

    /// The logs as they stand: the one that has begun, and what would be of it if something else followed.
    pub(super) fn take(&mut self) -> Vec<String> {
        let mut logs = Vec::new();
        self.release(&mut logs);
        logs.extend(self.take_one());
        logs
    }

    /// Blank lines behind a trace are not its own.
    fn take_one(&mut self) -> Option<String> {
        let Self { text, lines, trace, .. } = std::mem::take(self);
        let text = if trace == Trace::None { text } else { text.trim_end().to_owned() };
        (lines > 0).then_some(text)
    }
}

/// `java.lang.IllegalStateException: boom`, with a package.
fn names_an_exception(line: &str) -> bool {
    let class = line.split_once(':').map_or(line, |(class, _)| class);
    let is_class = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '$');
    class.len() <= 256
        && class.contains('.')
        && ["Exception", "Error", "Throwable"].iter().any(|end| class.ends_with(end))
        && class.chars().all(is_class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut joiner = Joiner::default();
        let mut logs: Vec<String> = text.lines().flat_map(|line| joiner.push(line)).collect();
        logs.extend(joiner.take());
        assert_eq!(logs, expected);
    }

    #[test]
    fn a_stack_trace_is_one_log() {
        let java =
            "ERROR failed\njava.io.IOException: full\n\tat a.B.c(B.java:1)\nCaused by: a.D: x\n\t... 7 more";
        check(&format!("first\n{java}\nlast"), &["first", java, "last"]);
        let frames =
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    try: 1/0\n";
        let python = format!("ERROR:root:failed\n{frames}ZeroDivisionError: division by zero");
        check(&format!("{python}\nlast"), &[&python, "last"]);
        let chained = format!(
            "{python}\n\nDuring handling of the above exception, another exception occurred:\n\n{frames}KeyError"
        );
        check(&format!("{chained}\n\nlast"), &[&chained, "last"]);
    }

    /// As Go 1.19 writes them.
    #[test]
    fn a_panic_of_go_is_one_log() {
        let index = "panic: runtime error: index out of range [5] with length 0\n\ngoroutine 5 [running]:\n\
            main.(*cart).save(...)\n\t/srv/a.go:4\nmain.main.func1()\n\t/srv/a.go:5 +0x1a\n\
            created by main.main\n\t/srv/a.go:5 +0x25";
        let signal = "panic: runtime error: invalid memory address or nil pointer dereference\n\
            [signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x457c62]\n\n\
            goroutine 1 [running]:\nmain.main()\n\t/srv/b.go:2 +0x2";
        let served = "2026/11/28 01:06:24 http: panic serving 127.0.0.1:35290: boom\n\
            goroutine 22 [running]:\nnet/http.(*conn).serve.func1()\n\t/go/src/net/http/server.go:1850 +0xbf\n\
            panic({0x66a280, 0x736400})\n\t/go/src/runtime/panic.go:890 +0x262\n\
            main.main.func1({0x4b3a00?, 0xc0000fe280?}, 0x7f6e16220f38?)\n\t/srv/c.go:3 +0x27\n\
            created by net/http.(*Server).Serve\n\t/go/src/net/http/server.go:3102 +0x4db";
        for panic in [index, signal, served] {
            check(&format!("first\n{panic}\nexit status 2\n"), &["first", panic, "exit status 2"]);
        }
        check(&format!("{index}\n\n{signal}"), &[index, signal]);
        check("panic: no\n\nnext (of many)", &["panic: no", "next (of many)"]);
    }

    /// As PHP 8 writes them.
    #[test]
    fn an_exception_of_php_is_one_log() {
        let chained = "PHP Fatal error:  Uncaught RuntimeException: disk full in /srv/a.php:2\nStack trace:\n\
            #0 /srv/a.php(3): save()\n#1 /srv/a.php(4): store()\n#2 {main}\n\n\
            Next LogicException: not stored in /srv/a.php:3\nStack trace:\n#0 /srv/a.php(4): store()\n\
            #1 {main}\n  thrown in /srv/a.php on line 3";
        let shown = "Fatal error: Uncaught RuntimeException: disk full in /srv/b.php:2\nStack trace:\n\
            #0 /srv/b.php(3): save()\n#1 {main}\n  thrown in /srv/b.php on line 2";
        check(&format!("first\n{chained}\n\n{shown}\nlast"), &["first", chained, shown, "last"]);
        check("first\n#1 of two\nNext one", &["first", "#1 of two", "Next one"]);
    }

    /// As Rust 1.73 and later write them.
    #[test]
    fn a_panic_of_rust_is_one_log() {
        let short = "thread 'main' (9386) panicked at a.rs:1:67:\nstored: \"disk full\"\n\
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        let long = "thread 'main' panicked at b.rs:1:12:\nassertion `left == right` failed: sums\n  left: 2\n\
            \x20right: 3\nstack backtrace:\n   0: __rustc::rust_begin_unwind\n             at /rustc/panicking.rs:689:5\n\
            note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.";
        check(&format!("first\n{short}\n{long}\nlast"), &["first", short, long, "last"]);
        check(&format!("{long}\n\n{short}\n\n{long}\n\n"), &[long, short, long]);
    }

    /// What follows it tells how long it is. Where nothing does, as in the second panic of a program that shows no backtraces, it
    /// is its first line, and what is indented.
    #[test]
    fn the_message_of_a_panic_of_rust_may_have_several_lines() {
        let long = "thread 'worker' (17) panicked at a.rs:1:39:\ncannot store:\n- disk full\n  on db-1\n\n}\n\
            stack backtrace:\n   0: std::panicking::begin_panic::<&str>\n             at /rustc/panicking.rs:761:5\n\
            note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.";
        let noted = "thread 'main' panicked at b.rs:2:5:\none\ntwo\n\
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        check(&format!("first\n{long}\n{noted}\nlast"), &["first", long, noted, "last"]);
        let bare = "thread 'main' panicked at b.rs:2:5:\none\n  left: 2";
        for next in ["2026-11-28 06:31:14 INFO well", r#"{"level":"info"}"#, "[info] well", "<14>well"] {
            check(&format!("{bare}\nx\n y\n{next}\nlast"), &[bare, "x\n y", next, "last"]);
        }
        check(&format!("{bare}\nx\n{noted}"), &[bare, "x", noted]);
        check(&format!("{bare}\nx\ny"), &[bare, "x", "y"]);
        let many: Vec<String> = (0..MOST_AHEAD + 2).map(|n| n.to_string()).collect();
        let expected: Vec<&str> = [bare].into_iter().chain(many.iter().map(String::as_str)).collect();
        check(&format!("{bare}\n{}", many.join("\n")), &expected);
    }

    /// As Monolog 2 writes them with `includeStacktraces`, which Laravel has set.
    #[test]
    fn an_exception_of_laravel_is_one_log() {
        let plain = "[2026-11-28 06:31:14] local.ERROR: disk full {\"exception\":\"[object] (LogicException(code: 0): full at \
            /srv/a.php:3)\n[stacktrace]\n#0 /srv/a.php(9): save()\n#1 {main}\n\"} ";
        let chained = "[2026-11-28 06:31:14] local.ERROR: disk full {\"userId\":4,\"exception\":\"[object] (RuntimeException\
            (code: 3): not stored at /srv/a.php:4)\n[stacktrace]\n#0 /srv/a.php(10): store()\n#1 {main}\n\n\
            [previous exception] [object] (LogicException(code: 0): full at /srv/a.php:3)\n[stacktrace]\n\
            #0 /srv/a.php(4): save()\n#1 {main}\n\",\"x\":\"y\"} ";
        let next = "[2026-11-28 06:31:14] local.INFO: well  ";
        check(&format!("{plain}\n{chained}\n{next}\n\"}}"), &[plain, chained, next, "\"}"]);
    }

    #[test]
    fn other_lines_are_logs_of_their_own() {
        check("a: Error\n\nb\nError: c\n{}\n{}", &["a: Error", "", "b", "Error: c", "{}", "{}"]);
    }

    #[test]
    fn what_is_joined_is_bounded() {
        let mut joiner = Joiner::default();
        joiner.push("first");
        let long = format!(" {}", "x".repeat(MOST_BYTES / 2));
        let logs: Vec<String> = (0..4).flat_map(|_| joiner.push(&long)).collect();
        assert!(logs.len() >= 2 && logs.iter().all(|log| log.len() <= MOST_BYTES), "{}", logs.len());
        let lines = (0..3 * MOST_LINES).flat_map(|_| joiner.push(" x")).count();
        assert!(lines >= 2, "{lines}");
    }
}
