//! Standard output and standard error: results on the one, everything else on the other.
//!
//! Nothing that a plugin or a log says reaches a terminal raw.

#[cfg(unix)]
mod fatal_signals;
mod log;
mod output;
mod panics;
mod progress;
mod reporter;
mod screen;
mod stream;

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use loghost_core::domain::{Tally, printable};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::{block_in_place, spawn_blocking};

pub(crate) use self::log::{
    DetailObserver, LogObserver, Said, error, event_as_json, last_said, tell, write_log_as,
};
pub(crate) use self::output::Reader;
use self::output::{ERR, OUT};
pub(crate) use self::panics::say_panics;
pub(crate) use self::progress::Progress;
pub(crate) use self::reporter::{TerminalReporter, measures_json, metric_json, metric_text};
pub(crate) use self::screen::{Screen, has_screen, is_in_foreground};
use self::stream::Form;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What names something: a consumer, a scenario.
pub(crate) const TITLE: Style = Style::new().bold();
/// What is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// What may become so.
const WARNING: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(crate) struct OutputError(#[source] io::Error);

/// Writes `text`, which may be styled, to standard output, and waits until it is written, or nobody reads it.
pub(crate) fn print(text: &str) -> Result<(), OutputError> {
    block_in_place(|| OUT.print(text.to_owned(), Form::Styled)).map(drop).map_err(OutputError)
}

/// Writes `value` as one line of JSON to standard output, and waits until it is written, or nobody reads it.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), OutputError> {
    let line = json_line(value)?;
    block_in_place(|| OUT.print(line, Form::Styled)).map(drop).map_err(OutputError)
}

/// Writes `text`, and is ready when it is written, or nobody reads it: for those who wait for something else as well.
pub(crate) async fn printed(text: String) -> Result<Reader, OutputError> {
    printed_as(text, Form::Styled).await
}

/// The same, of a text that is kept byte for byte in a file or a pipe; control characters are written out on a terminal.
pub(crate) async fn printed_verbatim(text: String) -> Result<Reader, OutputError> {
    printed_as(text, Form::Verbatim).await
}

async fn printed_as(text: String, form: Form) -> Result<Reader, OutputError> {
    let printed = spawn_blocking(move || OUT.print(text, form)).await.map_err(io::Error::other);
    printed.flatten().map_err(OutputError)
}

/// `value` as one line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, OutputError> {
    let json = serde_json::to_string(value).map_err(|error| OutputError(error.into()))?;
    Ok(escape(&json))
}

/// Gives the screen back, if there is a view, and waits until all is written that was to be, for no longer than `timeout`.
pub(crate) fn finish(timeout: Duration) {
    screen::give_back_within(timeout);
    OUT.finish(timeout);
    ERR.finish(timeout);
}

/// Is ready when all metrics are written, or cannot be.
pub(crate) async fn written() {
    OUT.finished().await;
}

/// Is ready when standard output cannot be written any more; an error unless whoever read it has gone, as `head` does.
pub(crate) async fn closed() -> Result<(), OutputError> {
    OUT.closed().await.map_err(OutputError)
}

/// Whether a person watches what this process writes, as it writes it.
pub(crate) fn is_watched() -> bool {
    is_able() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Whether the terminal, if there is one, can do more than take lines.
fn is_able() -> bool {
    env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Shows a text, which may be styled, beside the results.
pub(crate) fn show_beside(text: String) {
    ERR.say(text);
}

/// Waits until what was said is written, for no longer than `timeout`.
pub(crate) fn finish_saying(timeout: Duration) {
    block_in_place(|| ERR.finish(timeout));
}

/// A tally as a JSON object: a number for each severity.
pub(crate) fn tally_json(tally: &Tally) -> Value {
    tally.iter().map(|(severity, n)| (severity.to_string(), Value::from(n))).collect::<Map<_, _>>().into()
}

/// Keys and values as a JSON object.
pub(crate) fn texts_json(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect::<Map<_, _>>().into()
}

/// A tally in a line: `debug 1  info 3  error 0  critical 2`.
pub(crate) fn tally_text(tally: &Tally) -> String {
    tally.iter().map(|(severity, n)| format!("{severity} {n}")).collect::<Vec<_>>().join("  ")
}

/// The same, with their sum.
pub(crate) fn total_text(tally: &Tally) -> String {
    format!("{}  total {}", tally_text(tally), tally.total())
}

/// `1 metric`, `2 metrics`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Writes out what JSON leaves as it is and a terminal might obey. All of it stands inside strings,
/// where `\u` means the same.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' || printable(c.encode_utf8(&mut [0; 4])).len() == c.len_utf8() {
            escaped.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_nothing_that_a_terminal_obeys() {
        let json = serde_json::to_string("a\u{1b}b\u{9b}c\u{7f}d\u{202e}e ☠").unwrap();
        let escaped = escape(&json);
        assert_eq!(escaped, r#""a\u001bb\u009bc\u007fd\u202ee ☠""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), "a\u{1b}b\u{9b}c\u{7f}d\u{202e}e ☠");
    }
}
