//! Lines that belong to one log, as those of a stack trace do, are joined. Knows no clock: who reads the lines says when
//! nothing more has come.
//!
//! A line goes on with the log before it, if
//! - it is indented, as the frames of Java, JavaScript, .NET, Ruby and Go are;
//! - it begins with `Caused by:`, `Suppressed:`, `Traceback (most recent call last):`, `During handling of the above exception`,
//!   `The above exception was` or `--- End of`;
//! - it is a class of an exception, with its package and perhaps a text: `java.io.IOException: disk full`;
//! - it is the first line behind the frames of Python's traceback, which names the exception, or a blank line behind that.

/// How much may be joined.
const MOST_LINES: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024;

const CONTINUES: [&str; 6] = [
    "Caused by:",
    "Suppressed:",
    TRACEBACK,
    "During handling of the above exception",
    "The above exception was",
    "--- End of",
];

const TRACEBACK: &str = "Traceback (most recent call last):";

/// The log whose lines are being read.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    text: String,
    lines: usize,
    trace: Trace,
}

/// How far a traceback of Python has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trace {
    /// There is none.
    #[default]
    None,
    /// In its frames.
    Frames,
    /// Behind the line that names the exception.
    Named,
}

impl Joiner {
    /// Takes the next line; returns the log before it, if the line does not go on with that, or there is no more room.
    pub(super) fn push(&mut self, line: &str) -> Option<String> {
        let goes_on = self.lines > 0 && self.is_continued_by(line);
        let has_room = self.lines < MOST_LINES && self.text.len() + line.len() < MOST_BYTES;
        let before = if goes_on && has_room { None } else { self.take() };
        let is_indented = line.starts_with([' ', '\t']);
        self.trace = match self.trace {
            _ if line.starts_with(TRACEBACK) => Trace::Frames,
            Trace::Frames if !is_indented => Trace::Named,
            trace if goes_on => trace,
            _ => Trace::None,
        };
        if self.lines > 0 {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.lines += 1;
        before
    }

    fn is_continued_by(&self, line: &str) -> bool {
        line.starts_with([' ', '\t']) && !line.trim().is_empty()
            || CONTINUES.iter().any(|start| line.starts_with(start))
            || names_an_exception(line)
            || self.trace == Trace::Frames
            || (self.trace == Trace::Named && line.trim().is_empty())
    }

    /// Whether lines of a log have been read.
    pub(super) fn has_begun(&self) -> bool {
        self.lines > 0
    }

    /// How many lines of it.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// The log as it stands, if one has begun. Blank lines behind a trace are not its own.
    pub(super) fn take(&mut self) -> Option<String> {
        let Self { text, lines, trace } = std::mem::take(self);
        let text = if trace == Trace::Named { text.trim_end().to_owned() } else { text };
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
        let mut logs: Vec<String> = text.lines().filter_map(|line| joiner.push(line)).collect();
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

    #[test]
    fn other_lines_are_logs_of_their_own() {
        check("a: Error\n\nb\nError: c\n{}\n{}", &["a: Error", "", "b", "Error: c", "{}", "{}"]);
    }

    #[test]
    fn what_is_joined_is_bounded() {
        let mut joiner = Joiner::default();
        joiner.push("first");
        let long = format!(" {}", "x".repeat(MOST_BYTES / 2));
        let logs: Vec<String> = (0..4).filter_map(|_| joiner.push(&long)).collect();
        assert!(logs.len() >= 2 && logs.iter().all(|log| log.len() <= MOST_BYTES), "{}", logs.len());
        let lines = (0..3 * MOST_LINES).filter_map(|_| joiner.push(" x")).count();
        assert!(lines >= 2, "{lines}");
    }
}
