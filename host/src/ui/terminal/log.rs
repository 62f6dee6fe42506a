//! The log of a process: lines on standard error, as text or as JSON.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use anstyle::Style;
use loghost_core::application::{Event, Level, Observer};
use loghost_core::domain::{printable, printable_line};
use serde_json::{Map, Value};

use super::output::ERR;
use super::{BAD, DIM, OutputFormat, WARNING, escape};
use crate::ui::events::command::{self, CommandEvent};
use crate::ui::events::{self, Layout, Queues, Readers, ShownEvent};

/// How the lines are written, once that is known.
static FORMAT: OnceLock<OutputFormat> = OnceLock::new();

/// What was said last, for a view.
static LAST: Mutex<VecDeque<Said>> = Mutex::new(VecDeque::new());

/// How many lines are kept for it, and how many characters of each.
const MOST_LINES: usize = 100;
const LONGEST_LINE: usize = 1000;

/// A line that was said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) at: SystemTime,
    pub(crate) level: Level,
    /// The consumer that it is about, if it is about one.
    pub(crate) consumer: Option<String>,
    pub(crate) text: String,
}

/// What stands in a line.
struct LogLine<'a> {
    level: Level,
    /// The consumer that it is about, if it is about one.
    consumer: Option<&'a str>,
    /// What an event of its kind is called.
    event: &'static str,
    text: &'a str,
    layout: Layout,
    /// Whatever else a machine may want to know.
    fields: Map<String, Value>,
}

/// Has the log written in `format` from now on.
pub(crate) fn write_log_as(format: OutputFormat) {
    // Only the first counts: a process has one log.
    let _ = FORMAT.set(format);
}

/// Writes to the log what happens in a command that nobody else is told of.
pub(crate) fn tell(event: impl CommandEvent) {
    command::tell(&LogObserver::default(), event);
}

/// Says why the process fails, or the `consumer` that it ran for, on standard error: what has further lines has them
/// indented.
pub(crate) fn error(text: &str, consumer: Option<&str>) {
    let (level, layout) = (Level::Error, Layout::Indented);
    write(&LogLine { level, consumer, event: "error", text, layout, fields: Map::new() });
}

/// The line that stands for so many that nobody read in time.
pub(super) fn left_out(lines: u64) -> String {
    let text = format!("lines that nobody read in time were left out here: {lines}");
    let fields = Map::from_iter([("lines".to_owned(), lines.into())]);
    shown(&LogLine {
        level: Level::Warning,
        consumer: None,
        event: "left_out",
        text: &text,
        layout: Layout::Line,
        fields,
    })
}

fn format() -> OutputFormat {
    FORMAT.get().copied().unwrap_or_default()
}

fn write(line: &LogLine<'_>) {
    keep(line);
    ERR.say(shown(line));
}

/// What was said last, the oldest first.
pub(crate) fn last_said() -> Vec<Said> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

fn keep(line: &LogLine<'_>) {
    let text = printable_line(line.text).chars().take(LONGEST_LINE).collect();
    let consumer = line.consumer.map(|name| printable_line(name).into_owned());
    let said = Said { at: SystemTime::now(), level: line.level, consumer, text };
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.len() >= MOST_LINES {
        last.pop_front();
    }
    last.push_back(said);
}

fn shown(line: &LogLine<'_>) -> String {
    match format() {
        OutputFormat::Text => {
            let text = match line.layout {
                Layout::Line => printable_line(line.text).into_owned(),
                Layout::Indented => printable(line.text).replace('\n', "\n  "),
            };
            format!("{}{text}", head(line))
        }
        OutputFormat::Json => json(line),
    }
}

/// What a line begins with: the time (RFC 3339, in UTC), the level, the consumer in brackets.
fn head(line: &LogLine<'_>) -> String {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let style = match line.level {
        Level::Debug => DIM,
        Level::Info => Style::new(),
        Level::Warning => WARNING,
        Level::Error => BAD,
    };
    let consumer = line.consumer.map(|name| format!("[{}] ", printable_line(name))).unwrap_or_default();
    format!("{DIM}{time}{DIM:#} {style}{:<5}{style:#} {consumer}", word(line.level))
}

/// The same as one JSON object, with all that is known.
fn json(line: &LogLine<'_>) -> String {
    let mut object = Map::new();
    let mut say = |key: &str, value: Value| object.insert(key.to_owned(), value);
    say("time", humantime::format_rfc3339_millis(SystemTime::now()).to_string().into());
    say("level", word(line.level).into());
    if let Some(consumer) = line.consumer {
        say("consumer", consumer.into());
    }
    say("event", line.event.into());
    say("message", line.text.into());
    object.extend(line.fields.clone());
    escape(&Value::Object(object).to_string())
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warn",
        Level::Error => "error",
    }
}

/// An event as a line of the log has it in JSON.
pub(crate) fn event_as_json(shown: ShownEvent<'_>) -> String {
    let ShownEvent { readers: _, level, consumer, name, text, layout, fields } = shown;
    json(&LogLine { level, consumer, event: name, text: &text, layout, fields })
}

/// Writes to the log what happens.
#[derive(Debug, Default)]
pub(crate) struct LogObserver {
    /// What queues consumers have.
    pub(crate) queues: Queues,
}

impl Observer for LogObserver {
    fn observe(&self, event: &Event<'_>) {
        let Some(shown) = events::shown(event, self.queues) else { return };
        let ShownEvent { readers, level, consumer, name, text, layout, fields } = shown;
        if readers == Readers::All || format() == OutputFormat::Json {
            write(&LogLine { level, consumer, event: name, text: &text, layout, fields });
        }
    }
}

/// Writes to the log what happens all the time.
#[derive(Debug)]
pub(crate) struct DetailObserver;

impl Observer for DetailObserver {
    fn observe(&self, event: &Event<'_>) {
        let Some(ShownEvent { level, consumer, name, text, layout, fields, .. }) = events::detail(event)
        else {
            return;
        };
        write(&LogLine { level, consumer, event: name, text: &text, layout, fields });
    }
}
