//! What happens while logs are published.

use loghost_core::application::Level;
use loghost_core::domain::{Severity, Tally};
use serde_json::{Value, json};

use super::{CommandEvent, interrupted};
use crate::ui::terminal::{tally_json, tally_text};

/// What happens while logs are published, and what became of them.
#[derive(Debug)]
pub(crate) enum PublishingEvent {
    /// It was interrupted, and the answers to what was sent are waited for.
    Interrupted,
    /// A line of standard input has more bytes than is allowed, and is skipped.
    LineSkipped {
        /// Its number, from 1.
        line: u64,
        /// How many bytes it has.
        bytes: u64,
        /// How many it may have.
        most: u64,
    },
    /// So many lines were too long, and skipped.
    LinesSkipped(u64),
    /// What was confirmed last is not noted in the journal, for this reason.
    NotNoted(String),
    /// These are the first logs that no queue wants.
    FirstUnroutable(Tally, PublishedTo),
    /// No queue has wanted these logs.
    Unroutable(Tally, PublishedTo),
    /// These logs were refused, or one before them of their severity and source.
    Refused(Tally),
    /// So many logs did not say their severity, and were published with this one.
    Undetermined(u64, Severity),
    /// So many logs were sent, and not answered.
    Unanswered(u64),
    /// So many logs of this input are not sent.
    NotSent(u64, String, Vec<Unsent>),
}

/// What is not sent of an input, and what it waits for. Lines are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// So many logs, which were read.
    Read(u64),
    /// The last log, to which a line may still be added.
    LastLog,
    /// The log that begins in this line, which may go on.
    LogFrom(u64),
    /// This line, which is sent when its end is there.
    Line(u64),
    /// This line, whose end was not waited for.
    CutLine(u64),
    /// A log in this line of a scenario, whose text ends within a line.
    ScenarioLine(u64),
    /// The log in this line of a scenario, to which a `|` line may still be added.
    ScenarioLog(u64),
}

impl Unsent {
    /// The line where it begins, if that is known.
    fn line(self) -> Option<u64> {
        match self {
            Self::Read(_) | Self::LastLog => None,
            Self::LogFrom(line)
            | Self::Line(line)
            | Self::CutLine(line)
            | Self::ScenarioLine(line)
            | Self::ScenarioLog(line) => Some(line),
        }
    }

    /// The same in words, of an input of this name.
    fn text(self, input: &str) -> String {
        match self {
            Self::Read(logs) => format!("{logs} logs of {input} were read and are not sent"),
            Self::LastLog => {
                format!("the last log of {input} is held back, as a line may still be added to it")
            }
            Self::LogFrom(line) => {
                format!("the log that begins in line {line} of {input} may go on: it is not sent")
            }
            Self::Line(line) => {
                format!("line {line} of {input} has no end yet: held back until that is there")
            }
            Self::CutLine(line) => format!("line {line} of {input} has no end yet: it is not sent"),
            Self::ScenarioLine(line) => {
                format!("{input}:{line}: the text ends within a line: held back until its end is there")
            }
            Self::ScenarioLog(line) => format!(
                "{input}:{line}: the last log is held back, as a `|` line may still be added to it: a blank line \
                 behind it ends it"
            ),
        }
    }
}

/// Where logs are published to.
#[derive(Clone, Debug)]
pub(crate) enum PublishedTo {
    /// The exchange of each severity.
    Severities,
    /// This exchange of others.
    Exchange(String),
}

impl PublishedTo {
    /// This exchange of others, if it is one.
    pub(crate) fn of(exchange: Option<&str>) -> Self {
        exchange.map_or(Self::Severities, |exchange| Self::Exchange(exchange.to_owned()))
    }

    /// What there is to tell of logs that find no queue: with the exchange, if it is one of others.
    fn fields(&self, logs: &Tally) -> Value {
        let logs = tally_json(logs);
        match self {
            Self::Severities => json!({ "logs": logs }),
            Self::Exchange(exchange) => json!({ "logs": logs, "exchange": exchange }),
        }
    }

    /// What to do about logs that find no queue.
    fn advice(&self) -> String {
        match self {
            Self::Severities => {
                "is the consumer's queue declared? `loghost run PLUGIN --declare-only`".to_owned()
            }
            Self::Exchange(exchange) => format!(
                "is a queue bound to `{exchange}`, for their routing keys? `loghost run PLUGIN --bind EXCHANGE --declare-only`"
            ),
        }
    }
}

impl CommandEvent for PublishingEvent {
    fn level(&self) -> Level {
        match self {
            Self::Interrupted | Self::Undetermined(..) => Level::Info,
            _ => Level::Warning,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::Interrupted => interrupted(),
            Self::LineSkipped { line, bytes, most } => {
                let text =
                    format!("line {line} of standard input has {bytes} bytes, more than {most}: skipped");
                ("line_skipped", text, json!({ "line": line, "bytes": bytes, "most_bytes": most }))
            }
            Self::LinesSkipped(lines) => {
                let text = format!("{lines} lines were too long, and skipped");
                ("lines_skipped", text, json!({ "lines": lines }))
            }
            Self::NotNoted(cause) => {
                let text = format!("what was confirmed last will be sent again: {cause}");
                ("confirmed_not_noted", text, json!({ "cause": cause }))
            }
            Self::FirstUnroutable(logs, to) => {
                let text = format!("no queue wants these logs ({}): {}", tally_text(logs), to.advice());
                ("first_unroutable", text, to.fields(logs))
            }
            Self::Unroutable(logs, to) => {
                let (total, advice) = (logs.total(), to.advice());
                let text = format!("no queue wanted {total} of these logs ({}): {advice}", tally_text(logs));
                ("unroutable", text, to.fields(logs))
            }
            Self::Refused(logs) => {
                let text = format!(
                    "{} logs were refused ({}), or one before them of their severity and source: they are not sent",
                    logs.total(),
                    tally_text(logs)
                );
                ("logs_refused", text, json!({ "logs": tally_json(logs) }))
            }
            Self::Undetermined(logs, severity) => {
                let text = format!("{logs} logs without a severity of their own: published as {severity}");
                ("undetermined", text, json!({ "logs": logs, "severity": severity.as_str() }))
            }
            Self::Unanswered(logs) => {
                let text = format!("{logs} logs were sent and not answered: whether they arrived is unknown");
                ("unanswered", text, json!({ "logs": logs }))
            }
            Self::NotSent(logs, input, unsent) => {
                let texts: Vec<String> = unsent.iter().map(|unsent| unsent.text(input)).collect();
                let lines: Vec<u64> = unsent.iter().copied().filter_map(Unsent::line).collect();
                let fields = json!({ "logs": logs, "input": input, "lines": lines });
                ("not_sent", texts.join("; "), fields)
            }
        }
    }
}
