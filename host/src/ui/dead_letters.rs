//! How a dead letter is shown (a line of a table, in full, or as JSON), and what became of many.

use std::fmt::Write;
use std::time::{Duration, Instant};

use loghost_core::application::{Removal, RemovalEvent, Selection};
use loghost_core::domain::{Severity, Timestamp, printable, printable_line};
use loghost_rabbitmq::{DeadLetter, DeadLetterHeaders};
use serde_json::{Value, json};

use crate::ui::events::command::DeadLettersEvent;
use crate::ui::terminal::{self, BAD, DIM, OutputError, OutputFormat, Progress, TITLE, texts_json};
use crate::ui::time::date;

/// How much of a text stands in a line.
const REASON_CHARS: usize = 32;
const MESSAGE_CHARS: usize = 60;

/// What stands above the lines of a table.
pub(crate) fn head() -> String {
    let columns = ["number", "time", "severity", "source", "outcome", "attempts", "reason", "message"];
    let [number, time, severity, source, outcome, attempts, reason, message] = columns;
    format!(
        "{DIM}{number:>6}  {time:<20}  {severity:<8}  {source:<16}  {outcome:<8}  {attempts:>8}  \
         {reason:<REASON_CHARS$}  {message}{DIM:#}"
    )
}

/// A dead letter in a line.
pub(crate) fn line(dead_letter: &DeadLetter) -> String {
    let (number, message) = (dead_letter.number, cut(&dead_letter.text(), MESSAGE_CHARS));
    let Some(headers) = &dead_letter.headers else {
        return format!("{number:>6}  {BAD}not a dead letter{BAD:#}  {message}");
    };
    let time = headers.at.map_or_else(String::new, |at| date(at, humantime::format_rfc3339_seconds));
    format!(
        "{number:>6}  {time:<20}  {:<8}  {:<16}  {:<8}  {:>8}  {:<REASON_CHARS$}  {message}",
        headers.severity.map_or("-", Severity::as_str),
        printable_line(&headers.source),
        headers.outcome(),
        headers.attempts,
        cut(&headers.reason, REASON_CHARS),
    )
}

/// The beginning of a text, on one line.
fn cut(text: &str, most: usize) -> String {
    // A character may become several, and no more is looked at than could be shown.
    let beginning: String = text.chars().take(most + 1).collect();
    let shown = printable_line(&beginning);
    if shown.chars().count() <= most {
        return shown.into_owned();
    }
    shown.chars().take(most - 1).chain(['…']).collect()
}

/// All that a dead letter says.
pub(crate) fn full(dead_letter: &DeadLetter, of: u32) -> String {
    let mut page = format!("{TITLE}{} of {of}{TITLE:#}", dead_letter.number);
    let mut say = |key: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n{DIM}{:<14}{DIM:#}  {}", printable_line(key), printable_line(value));
    };
    let precise = |at| date(at, humantime::format_rfc3339_millis);
    match &dead_letter.headers {
        None => {
            say("", "not a dead letter: somebody else put it here");
            say("came through", dead_letter.came_through());
        }
        Some(headers) => {
            say("time", &headers.at.map(precise).unwrap_or_default());
            say("outcome", headers.outcome());
            say("attempts", &headers.attempts.to_string());
            say("reason", &headers.reason);
            say("plugin", &format!("{} {}", headers.plugin.name, headers.plugin.version));
            say("sha256", &headers.plugin.sha256);
            say("severity", headers.severity.map_or("", Severity::as_str));
            say("source", &headers.source);
            if let Some(log_number) = &headers.log_number {
                say("log of message", log_number);
            }
            say("exchange", &headers.exchange);
            say("routing key", &headers.routing_key);
        }
    }
    say("id", dead_letter.id().unwrap_or_default());
    say("written", &dead_letter.timestamp().map(precise).unwrap_or_default());
    for (key, value) in dead_letter.attributes() {
        say(&format!("attribute {key}"), &value);
    }
    if let Some(headers) = &dead_letter.headers {
        for (key, value) in &headers.original {
            say(&format!("original {key}"), value);
        }
        if headers.left_out > 0 {
            say("left out", &format!("{} headers that had no room", headers.left_out));
        }
        if let Some(backtrace) = &headers.backtrace {
            let _ = write!(page, "\n{DIM}backtrace{DIM:#}\n{}", printable(backtrace));
        }
    }
    let _ = write!(page, "\n\n{}", printable(&dead_letter.text()));
    page
}

/// All that a dead letter says, for programs. What is no dead letter has no `outcome`.
pub(crate) fn object(dead_letter: &DeadLetter) -> Value {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let headers = dead_letter.headers.as_ref();
    json!({
        "number": dead_letter.number,
        "dead_letter": headers.is_some(),
        "id": dead_letter.id(),
        "timestamp": millis(dead_letter.timestamp()),
        "severity": headers.and_then(|headers| headers.severity).map(Severity::as_str),
        "source": headers.map(|headers| headers.source.as_str()),
        "message": dead_letter.text(),
        "attributes": texts_json(&dead_letter.attributes()),
        "outcome": headers.map(DeadLetterHeaders::outcome),
        "reason": headers.map(|headers| headers.reason.as_str()),
        "backtrace": headers.and_then(|headers| headers.backtrace.as_deref()),
        "attempts": headers.map(|headers| headers.attempts),
        "time": millis(headers.and_then(|headers| headers.at)),
        "plugin": headers.map(|headers| json!({
            "name": headers.plugin.name,
            "version": headers.plugin.version,
            "sha256": headers.plugin.sha256,
        })),
        "log_number": headers.and_then(|headers| headers.log_number.as_deref()),
        "exchange": headers.map_or(dead_letter.came_through(), |headers| headers.exchange.as_str()),
        "routing_key": headers.map(|headers| headers.routing_key.as_str()),
        "original": headers.map(|headers| texts_json(&headers.original)),
        "headers_left_out": headers.map(|headers| headers.left_out),
    })
}

/// What became of those that were to be taken out of their queue.
pub(crate) struct Taken {
    /// How many were.
    pub(crate) done: u32,
    /// How many messages the queue has now, if that is known.
    pub(crate) left: Option<u32>,
    /// How many were met that are no dead letters.
    pub(crate) not_dead_letters: u32,
    /// How many were met that are no logs.
    pub(crate) not_logs: u32,
}

/// What was done to those that were taken out.
pub(crate) fn removed(removal: Removal) -> &'static str {
    match removal {
        Removal::Replay => "replayed",
        Removal::Purge => "purged",
    }
}

/// Names the dead letter that is asked for, if it is a single one.
pub(crate) fn one_text(selection: &Selection) -> Option<String> {
    let number = || selection.number.map(|number| format!("number {number}"));
    selection.id.as_ref().map(|id| format!("id {}", printable_line(id))).or_else(number)
}

/// The least time between two notices of how far it is.
const NOTICE_INTERVAL: Duration = Duration::from_secs(1);

/// Shows how far it is: as a bar on a terminal, otherwise in a line now and then.
pub(crate) struct RemovalProgress {
    removal: Removal,
    /// How many messages there are.
    length: u32,
    bar: Progress,
    notice_at: Instant,
}

impl RemovalProgress {
    /// Begins with those of the `selection`, of so many messages.
    pub(crate) fn begin(removal: Removal, selection: &Selection, length: u32) -> Self {
        let bar = Progress::begin(removed(removal), selection.at_most(length).into(), "dead letters");
        Self { removal, length, bar, notice_at: Instant::now() + NOTICE_INTERVAL }
    }

    /// What is told how it goes on.
    pub(crate) fn observe(mut self) -> impl FnMut(RemovalEvent) {
        move |event| match event {
            RemovalEvent::Interrupted => {
                terminal::tell(DeadLettersEvent::Interrupted);
            }
            RemovalEvent::Removed { done, read } => {
                self.bar.at(done.into());
                if !self.bar.is_shown() && Instant::now() >= self.notice_at {
                    self.notice_at = Instant::now() + NOTICE_INTERVAL;
                    let (removal, of) = (self.removal, self.length);
                    terminal::tell(DeadLettersEvent::Progress { removal, done, read, of });
                }
            }
        }
    }
}

/// Prints what became of those that were to be taken out.
pub(crate) fn print_finished(
    removal: Removal,
    taken: &Taken,
    format: OutputFormat,
) -> Result<(), OutputError> {
    let Taken { done, left, not_dead_letters, not_logs } = taken;
    let verb = removed(removal);
    match format {
        OutputFormat::Text => {
            let left = left.map_or("unknown".to_owned(), |left| left.to_string());
            terminal::print(&format!("{verb} {done}  left {left}"))
        }
        OutputFormat::Json => terminal::print_json(&json!({
            verb: done,
            "left": left,
            "not_dead_letters": not_dead_letters,
            "not_logs": not_logs,
        })),
    }
}

/// Says that so many messages were written anew, if some were.
pub(crate) fn say_renewed(queue: &str, renewed: u32) {
    if renewed > 0 {
        terminal::tell(DeadLettersEvent::Renewed { queue: queue.to_owned(), messages: renewed });
    }
}
