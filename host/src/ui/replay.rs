//! How a replay is shown: what is not counted, or where two plugins differ, as it is found; how far it is; the metrics.

use std::fmt::Write;

use loghost_core::application::{
    Answer, Cause, Compared, Difference, Extent, Fate, NotCounted, PastPosition, ReplayObserver, Replayed,
    Report, ReportError,
};
use loghost_core::domain::{Log, Record, Source, printable_line};
use loghost_rabbitmq::{Span, outcome};
use serde_json::{Value, json};

use crate::ui::events::command::{PastUse, ReadingEvent};
use crate::ui::tail;
use crate::ui::terminal::{
    self, BAD, DIM, GOOD, OutputError, OutputFormat, Progress, TITLE, counted, metric_json, metric_text,
    texts_json,
};

/// The most logs that are listed for people.
const MOST: u64 = 20;

/// Shows a replay.
pub(crate) struct ReplayView {
    format: OutputFormat,
    /// What the two plugins of a comparison are called.
    versions: Option<[String; 2]>,
    /// What was read of the offsets.
    progress: Progress,
    /// How many logs were found that are listed.
    found: u64,
}

/// What came of a replay.
pub(crate) enum ReplayOutcome<'a> {
    /// For each plugin by itself.
    Each(&'a [Replayed]),
    /// For two, compared.
    Compared(&'a Compared),
}

impl ReplayView {
    /// One of these spans; says which they are.
    pub(crate) fn new<'a>(
        format: OutputFormat,
        versions: Option<[String; 2]>,
        spans: impl Iterator<Item = &'a Span>,
    ) -> Self {
        let spans: Vec<Span> = spans.cloned().collect();
        let logs: u64 = spans.iter().map(|span| span.until - span.from).sum();
        terminal::tell(ReadingEvent::Past(PastUse::Replaying, spans));
        let progress = Progress::begin("replaying", logs, "logs");
        Self { format, versions, progress, found: 0 }
    }

    /// Prints what came of it.
    pub(crate) fn end(&self, replays: &ReplayOutcome<'_>) -> Result<(), OutputError> {
        match replays {
            ReplayOutcome::Each(replayed) => {
                self.say_rest("not counted")?;
                replayed.iter().try_for_each(|replayed| self.metric(replayed, None))
            }
            ReplayOutcome::Compared(compared) => {
                self.say_rest("in which they differ")?;
                for (n, replayed) in compared.replayed.iter().enumerate() {
                    self.metric(replayed, self.versions.as_ref().map(|versions| &*versions[n]))?;
                }
                self.summary(compared)
            }
        }
    }

    fn metric(&self, replayed: &Replayed, version: Option<&str>) -> Result<(), OutputError> {
        let Replayed { consumer, counts, text, .. } = replayed;
        let (text, has_offsets) = (text.clone(), true);
        let report = Report { consumer, counts, has_offsets, text, measures: None, last: true };
        match self.format {
            OutputFormat::Text => {
                let version = version.map(|version| format!("{DIM}{}{DIM:#} ", printable_line(version)));
                terminal::print(&(version.unwrap_or_default() + &metric_text(&report)))
            }
            OutputFormat::Json => {
                let mut object = metric_json(&report);
                object.insert("version".to_owned(), replayed.version.as_str().into());
                if let Some(version) = version {
                    object.insert("plugin".to_owned(), version.into());
                }
                terminal::print_json(&object)
            }
        }
    }

    fn summary(&self, compared: &Compared) -> Result<(), OutputError> {
        let [one, other] = &compared.replayed;
        let are_same = one.text == other.text;
        if self.format == OutputFormat::Json {
            return terminal::print_json(
                &json!({ "differences": compared.differences, "same_metric": are_same }),
            );
        }
        let logs = match compared.differences {
            0 => format!("{GOOD}no log differs{GOOD:#}"),
            n => format!("{BAD}{} differ{BAD:#}", logs(n)),
        };
        let metrics = if are_same {
            format!("{GOOD}the metrics are the same{GOOD:#}")
        } else {
            format!("{BAD}the metrics differ{BAD:#}")
        };
        terminal::print(&format!("{logs}, {metrics}"))
    }

    /// Says how many logs were found that are not listed.
    fn say_rest(&self, what: &str) -> Result<(), OutputError> {
        if self.format == OutputFormat::Json || self.found <= MOST {
            return Ok(());
        }
        let rest = logs(self.found - MOST);
        terminal::print(&format!("{DIM}and {rest} more {what}; --format json lists all{DIM:#}"))
    }

    /// Lists a log that was found.
    fn list(
        &mut self,
        text: impl FnOnce() -> String,
        object: impl FnOnce() -> Value,
    ) -> Result<(), ReportError> {
        self.found += 1;
        let listed = match self.format {
            OutputFormat::Text if self.found > MOST => Ok(()),
            OutputFormat::Text => terminal::print(&text()),
            OutputFormat::Json => terminal::print_json(&object()),
        };
        listed.map_err(|error| ReportError(error.into()))
    }
}

impl ReplayObserver for ReplayView {
    fn not_counted(&mut self, log: &NotCounted<'_>) -> Result<(), ReportError> {
        let NotCounted { consumer, position, record, cause, reason, attempts } = *log;
        let text = || {
            let (fate, at) = (dead(cause, reason), at(position));
            format!("{TITLE}[{consumer}]{TITLE:#} {at} {BAD}{fate}{BAD:#}{}", shown(record))
        };
        self.list(text, || {
            let answer = json!({ "outcome": outcome(cause), "reason": reason, "attempts": attempts });
            json!({ "not_counted": answer, "consumer": consumer.as_str(), "at": position_json(position), "log": record.map(tail::object) })
        })
    }

    fn differs(&mut self, difference: &Difference<'_>) -> Result<(), ReportError> {
        let Difference { position, record, answers } = *difference;
        let versions = self.versions.clone().unwrap_or_default();
        let pairs = || versions.iter().zip(answers);
        let text = || {
            let answers = pairs().map(|(version, answer)| {
                format!("\n    {DIM}{}:{DIM:#} {}", printable_line(version), answered(answer))
            });
            format!(
                "{TITLE}differs{TITLE:#} {}{}{}",
                at(position),
                shown(record),
                answers.collect::<String>()
            )
        };
        self.list(text, || {
            let answers: Vec<Value> = pairs().map(|(version, answer)| answer_json(version, answer)).collect();
            json!({ "differs": answers, "at": position_json(position), "log": record.map(tail::object) })
        })
    }

    fn progress(&mut self, extent: Extent) {
        self.progress.at(extent.read);
    }
}

fn logs(n: u64) -> String {
    counted(usize::try_from(n).unwrap_or(usize::MAX), "log")
}

fn at(position: &PastPosition) -> String {
    format!("{}/{}", printable_line(&position.stream), position.offset)
}

fn position_json(position: &PastPosition) -> Value {
    json!({ "stream": &*position.stream, "offset": position.offset })
}

/// A log below the line that says what is the matter with it.
fn shown(record: Option<&Record>) -> String {
    record.map_or_else(String::new, |record| format!("\n  {}", tail::line(record)))
}

fn dead(cause: Cause, reason: &str) -> String {
    format!("{}: {}", outcome(cause), printable_line(reason))
}

/// What a plugin makes of a log, in a line.
fn answered(answer: &Answer) -> String {
    let mut text = match &answer.fate {
        Fate::Dead(cause, reason) => dead(*cause, reason),
        fate => fate_word(fate).to_owned(),
    };
    if answer.attempts > 1 {
        // Writing to a string cannot fail.
        let _ = write!(text, ", at attempt {}", answer.attempts);
    }
    for Log { severity, message, .. } in &answer.publishes {
        let _ = write!(text, "; publishes {severity}: {}", printable_line(message));
    }
    text
}

fn fate_word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Unwanted => "unwanted",
        Fate::Unseen => "unseen",
        Fate::Repeated => "repeated",
        Fate::Accepted => "accept",
        Fate::Skipped => "skip",
        Fate::Dead(cause, _) => outcome(*cause),
    }
}

fn answer_json(version: &str, answer: &Answer) -> Value {
    let reason = match &answer.fate {
        Fate::Dead(_, reason) => Some(reason),
        _ => None,
    };
    let publishes = answer.publishes.iter().map(|log| {
        let source = log.source.as_ref().map(Source::as_str);
        let attributes: Vec<(String, String)> =
            log.attributes.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        json!({
            "severity": log.severity.as_str(),
            "source": source,
            "message": log.message,
            "attributes": texts_json(&attributes),
        })
    });
    json!({
        "plugin": version,
        "outcome": fate_word(&answer.fate),
        "reason": reason,
        "attempts": answer.attempts,
        "publishes": publishes.collect::<Vec<_>>(),
    })
}
