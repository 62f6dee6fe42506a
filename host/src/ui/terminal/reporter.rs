//! Shows the metrics of consumers on standard output.

use loghost_core::application::{ConsumerError, Report, ReportError, Reporter};
use loghost_core::domain::{Measures, Severity, printable, printable_line};
use serde_json::{Map, Value, json};

use super::output::OUT;
use super::{BAD, OutputError, OutputFormat, TITLE, json_line, tally_json};

/// Shows metrics: of each consumer the last one, if nobody reads them in time.
#[derive(Debug)]
pub(crate) struct TerminalReporter(pub(crate) OutputFormat);

impl Reporter for TerminalReporter {
    fn metric(&mut self, report: &Report<'_>) -> Result<(), ReportError> {
        let text = match self.0 {
            OutputFormat::Text => Ok(metric_text(report)),
            OutputFormat::Json => json_line(&metric_json(report)),
        };
        let shown = text.and_then(|text| OUT.show(report.consumer.as_str(), text).map_err(OutputError));
        shown.map_err(|e| ReportError(e.into()))
    }
}

/// The plugin's words under its name; where it has none, the host's counts, marked as such.
pub(crate) fn metric_text(report: &Report<'_>) -> String {
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

/// The same, for programs.
pub(crate) fn metric_json(report: &Report<'_>) -> Map<String, Value> {
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
    say("undeliverable", counts.undeliverable.into());
    say("repeated", counts.repeated.into());
    say("without_id", counts.without_id.into());
    say("counted_by_offset", report.has_offsets.into());
    say("undetermined", counts.undetermined.into());
    say("removed", counts.removed.into());
    match &report.text {
        Ok(text) => say("text", text.as_str().into()),
        Err(error) => {
            say("text", Value::Null);
            say("error", error.to_string().into());
        }
    }
    if let Some(measures) = report.measures {
        say("measures", measures_json(measures));
    }
    say("last", report.last.into());
    object
}

/// What a plugin has measured, and how much of its answer is left out; or why it could not.
pub(crate) fn measures_json(measures: Result<&Measures, &ConsumerError>) -> Value {
    let measures = match measures {
        Ok(measures) => measures,
        Err(error) => return json!({ "values": null, "dropped": null, "error": error.to_string() }),
    };
    let values: Vec<Value> = measures
        .by_name()
        .flat_map(|(name, family)| {
            family.values.iter().map(move |(labels, value)| {
                let labels: Map<String, Value> =
                    labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
                json!({ "name": name, "labels": labels, "kind": family.kind.as_str(), "value": value })
            })
        })
        .collect();
    let dropped: Map<String, Value> =
        measures.dropped().map(|(unfit, count)| (unfit.as_str().to_owned(), count.into())).collect();
    json!({ "values": values, "dropped": dropped, "error": null })
}
