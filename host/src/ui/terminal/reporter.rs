//! Shows what a consumer does: its metrics on standard output, its states on standard error.

use std::error::Error;

use loghost_core::application::{
    DeadLettering, Level, Load, Notice, Report, ReportError, Reporter, SourceError, State, Uncounted,
};
use loghost_core::domain::{ConsumerName, Severity, printable, printable_line};
use serde_json::{Map, Value};

use super::output::OUT;
use super::{BAD, Format, TITLE, Unwritable, json_line, tally_json, tell};

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
        State::Reopening(error @ SourceError::Cancelled(_)) => {
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
                DeadLettering::Ready(()) | DeadLettering::Unread => "goes to the dead letters",
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
        DeadLettering::Ready(()) | DeadLettering::Unread => "went to the dead letters",
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
