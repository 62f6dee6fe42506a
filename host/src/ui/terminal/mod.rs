//! Standard output and standard error: results on the one, everything else on the other.
//!
//! Nothing that a plugin or a log says reaches a terminal raw.

mod output;

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use loghost_core::application::{
    DeadLettering, Level, Load, Notice, Report, ReportError, Reporter, SourceError, State, Uncounted,
};
use loghost_core::domain::{ConsumerName, Severity, Tally, printable, printable_line};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::{block_in_place, spawn_blocking};

pub(crate) use self::output::Reader;
use self::output::{ERR, OUT};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
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

/// Shows a notice in a line on standard error.
pub(crate) fn tell(notice: &Notice<'_>) {
    ERR.say(format!("{}{}", head(notice.level, notice.consumer), printable_line(notice.text)));
}

/// Says something to the operator, in a line on standard error.
pub(crate) fn notice(text: &str) {
    tell(&Notice::info(text));
}

/// Warns the operator, in a line on standard error.
pub(crate) fn warning(text: &str) {
    tell(&Notice::warning(text));
}

/// Says why the process fails, or the `consumer` that it ran for, on standard error: what has further lines has them
/// indented.
pub(crate) fn error(text: &str, consumer: Option<&str>) {
    ERR.say(format!("{}{}", head(Level::Error, consumer), printable(text).replace('\n', "\n  ")));
}

/// What a line on standard error begins with: the time (RFC 3339, in UTC), the level, the consumer in brackets.
fn head(level: Level, consumer: Option<&str>) -> String {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let (style, level) = match level {
        Level::Debug => (DIM, "debug"),
        Level::Info => (Style::new(), "info"),
        Level::Warning => (WARNING, "warn"),
        Level::Error => (BAD, "error"),
    };
    let consumer = consumer.map(|name| format!("[{}] ", printable_line(name))).unwrap_or_default();
    format!("{DIM}{time}{DIM:#} {style}{level:<5}{style:#} {consumer}")
}

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(crate) struct Unwritable(#[source] io::Error);

/// Writes `text`, which may be styled, to standard output, and waits until it is written, or nobody reads it.
pub(crate) fn print(text: &str) -> Result<(), Unwritable> {
    block_in_place(|| OUT.print(text.to_owned())).map(drop).map_err(Unwritable)
}

/// Writes `value` as one line of JSON to standard output, and waits until it is written, or nobody reads it.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Unwritable> {
    let line = json_line(value)?;
    block_in_place(|| OUT.print(line)).map(drop).map_err(Unwritable)
}

/// Writes `text`, and is ready when it is written, or nobody reads it: for those who wait for something else as well.
pub(crate) async fn printed(text: String) -> Result<Reader, Unwritable> {
    let printed = spawn_blocking(move || OUT.print(text)).await.map_err(io::Error::other);
    printed.flatten().map_err(Unwritable)
}

/// `value` as one line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, Unwritable> {
    let json = serde_json::to_string(value).map_err(|error| Unwritable(error.into()))?;
    Ok(escape(&json))
}

/// Waits until all is written that was to be, for no longer than `patience`.
pub(crate) fn finish(patience: Duration) {
    OUT.finish(patience);
    ERR.finish(patience);
}

/// Is ready when all metrics are written, or cannot be.
pub(crate) async fn written() {
    OUT.finished().await;
}

/// Is ready when standard output cannot be written any more; an error unless whoever read it has gone, as `head` does.
pub(crate) async fn closed() -> Result<(), Unwritable> {
    OUT.closed().await.map_err(Unwritable)
}

/// A tally as a JSON object: a number for each severity.
pub(crate) fn tally_json(tally: &Tally) -> Value {
    tally.iter().map(|(severity, n)| (severity.to_string(), Value::from(n))).collect::<Map<_, _>>().into()
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

/// Shows metrics: of each consumer the last one, if nobody reads them in time.
#[derive(Debug)]
pub(crate) struct TerminalReporter {
    format: Format,
    /// Whether the queues are copies, which go with their connection.
    copies: bool,
}

impl TerminalReporter {
    /// Shows metrics in `format`.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, copies: false }
    }

    /// Says what it means for queues that go with their connection.
    pub(crate) fn of_copies(self) -> Self {
        Self { copies: true, ..self }
    }
}

impl Reporter for TerminalReporter {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        let text = match self.format {
            Format::Text => Ok(metric_text(report)),
            Format::Json => json_line(&metric_json(report)),
        };
        let shown = text.and_then(|text| OUT.show(report.consumer.as_str(), text).map_err(Unwritable));
        shown.map_err(|e| ReportError(e.into()))
    }

    fn state(&mut self, consumer: &ConsumerName, state: &State<'_>) {
        let text = state_text(state, self.copies);
        tell(&Notice::new(level_of(state), &text).of(consumer.as_str()));
    }

    fn progress(&mut self, _: &ConsumerName, _: usize, _: Load) {}
}

/// How much it matters what a consumer does.
fn level_of(state: &State<'_>) -> Level {
    match state {
        State::Consuming | State::StandingBy | State::Recovered | State::Reloaded(..) => Level::Info,
        State::Reopening(_)
        | State::Failed(..)
        | State::Paused(_)
        | State::NotCounted(..)
        | State::LeftUncounted(..) => Level::Warning,
        State::Stopped(..) | State::ReloadRefused(_) => Level::Error,
    }
}

/// What a consumer does, in a line.
fn state_text(state: &State<'_>, copies: bool) -> String {
    let again = if copies {
        "what was in it, and what is published meanwhile, is not seen"
    } else {
        "what was not acknowledged comes again"
    };
    match state {
        State::Consuming => "consuming".to_owned(),
        State::StandingBy => {
            "standing by: another host consumes its queue; takes over when that has gone".to_owned()
        }
        // Of a connection there is one line for all.
        State::Reopening(SourceError::Lost(cause)) => {
            format!("lost its queue ({cause}): opening it again; {again}")
        }
        State::Reopening(error @ SourceError::Cancelled { .. }) => {
            format!("{error}: opening its queue again; if so, what was in it is gone")
        }
        State::Reopening(SourceError::NotReady(cause)) => {
            format!("its queue cannot be opened yet ({cause}): trying again until it can")
        }
        State::Reopening(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}: opening its queue again; {again}")
        }
        State::Failed(error, Some(record)) => {
            let id = record.id.as_deref().unwrap_or("without an id");
            format!("failed at one log ({}, {id}), which goes to the dead letters: {error}", record.severity)
        }
        State::Failed(error, None) => format!("failed at a tick: {error}"),
        State::Stopped(error, delay) => format!(
            "stopped, because it keeps failing: its queue is left as it is, and one log is tried in {} \
             (or mend it: a new file with --watch, or SIGHUP): {error}",
            humantime::format_duration(*delay)
        ),
        State::Paused(held) => {
            format!(
                "pauses: {held} logs wait for another attempt, or for the broker to take them as dead letters"
            )
        }
        State::NotCounted(reason, dead_lettering) => {
            let kept = match dead_lettering {
                DeadLettering::Ready | DeadLettering::Unread => "goes to the dead letters",
                DeadLettering::None => "is acknowledged: a queue that ends with the run has no dead letters",
            };
            format!("a message is not counted, and {kept} ({reason}); how many more, is said at the end")
        }
        State::LeftUncounted(uncounted, dead_lettering) => left_uncounted(uncounted, *dead_lettering),
        State::Recovered => "no longer fails: goes on".to_owned(),
        State::Reloaded(descriptor, digest) => {
            let digest = digest.get(..12).unwrap_or(digest);
            format!("reloaded: version {} ({digest}) has taken over", descriptor.version)
        }
        State::ReloadRefused(error) => {
            format!("not reloaded, the old one goes on: the new one does not take up its state: {error}")
        }
    }
}

fn left_uncounted(uncounted: &Uncounted, dead_lettering: DeadLettering) -> String {
    let Uncounted { foreign, unwanted } = uncounted;
    let kept = match dead_lettering {
        DeadLettering::Ready | DeadLettering::Unread => "went to the dead letters",
        DeadLettering::None => "were acknowledged: a queue that ends with the run has no dead letters",
    };
    format!(
        "not counted in this run: {foreign} messages that were not published as logs (foreign), {unwanted} logs \
         that its filter does not want (unwanted); they {kept}"
    )
}

/// The plugin's words under its name; where it has none, the host's counts, marked as such.
fn metric_text(report: &Report<'_>) -> String {
    let title = format!("{TITLE}[{}]{TITLE:#}", report.consumer);
    match &report.text {
        Ok(text) => format!("{title}\n{}", printable(text)),
        Err(error) => {
            let counts: Vec<String> =
                Severity::ALL.into_iter().map(|s| format!("{s:<10}{}", report.counts.accepted[s])).collect();
            format!(
                "{title} {BAD}(written by the host: the plugin's {}){BAD:#}\n{}",
                printable_line(&error.to_string()),
                counts.join("\n")
            )
        }
    }
}

fn metric_json(report: &Report<'_>) -> Value {
    let counts = report.counts;
    let mut object = Map::new();
    let mut say = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    say("consumer", report.consumer.as_str().into());
    say("counts", tally_json(&counts.accepted));
    say("rejected", tally_json(&counts.rejected));
    say("skipped", tally_json(&counts.skipped));
    say("unwanted", tally_json(&counts.unwanted));
    say("foreign", counts.foreign.into());
    say("repeated", counts.repeated.into());
    say("without_id", counts.without_id.into());
    match &report.text {
        Ok(text) => say("text", text.as_str().into()),
        Err(error) => {
            say("text", Value::Null);
            say("error", error.to_string().into());
        }
    }
    say("last", report.last.into());
    object.into()
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
