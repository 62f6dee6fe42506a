//! How what was verified is shown: which metrics are as expected, and where the others differ.

use std::path::Path;

use loghost_core::application::{Checked, CheckedMetric};
use loghost_core::domain::{printable, printable_line};
use serde_json::json;
use similar::{ChangeTag, TextDiff};

use crate::files::scenario_file::Blessed;
use crate::ui::terminal::{self, BAD, GOOD, OutputError, OutputFormat, TITLE, counted};

/// Prints what came of the expectations of a scenario.
pub(crate) fn print(
    scenario: &str,
    metrics: &[CheckedMetric],
    format: OutputFormat,
) -> Result<(), OutputError> {
    if format == OutputFormat::Json {
        for metric in metrics {
            terminal::print_json(&json!({
                "scenario": scenario,
                "consumer": metric.expectation.consumer.to_string(),
                "passed": metric.passed(),
                "expected": metric.expectation.text,
                "actual": metric.actual.as_ref().ok(),
                "error": metric.actual.as_ref().err(),
            }))?;
        }
        return Ok(());
    }
    terminal::print(&format!("{TITLE}{}{TITLE:#}", printable_line(scenario)))?;
    for metric in metrics {
        terminal::print(&line(metric))?;
    }
    Ok(())
}

/// Prints what blessing has done to a scenario.
pub(crate) fn print_blessed(scenario: &Path, blessed: Blessed) -> Result<(), OutputError> {
    let done = match blessed {
        Blessed::Rewritten => "rewritten",
        Blessed::Unchanged => "as it was",
    };
    terminal::print(&format!("{}: {done}", printable_line(&scenario.to_string_lossy())))
}

/// A metric's line of the report, and below it what differs.
pub(crate) fn line(metric: &CheckedMetric) -> String {
    let consumer = metric.expectation.consumer.to_string();
    let consumer = printable_line(&consumer);
    match &metric.actual {
        Err(reason) => format!("  {BAD}failed{BAD:#}   {consumer}: {}", printable_line(reason)),
        Ok(_) if metric.passed() => format!("  {GOOD}ok{GOOD:#}       {consumer}"),
        Ok(actual) => {
            format!("  {BAD}differs{BAD:#}  {consumer}\n{}", difference(&metric.expectation.text, actual))
        }
    }
}

/// What is expected and not there, and what is there and not expected, line by line.
fn difference(expected: &str, actual: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let lines: Vec<String> = diff
        .iter_all_changes()
        .map(|change| {
            let text = change.value().strip_suffix('\n').unwrap_or(change.value());
            let text = printable(text);
            match change.tag() {
                ChangeTag::Delete => format!("    {BAD}- {text}{BAD:#}"),
                ChangeTag::Insert => format!("    {GOOD}+ {text}{GOOD:#}"),
                ChangeTag::Equal => format!("      {text}"),
            }
        })
        .collect();
    lines.join("\n")
}

/// Prints how many of all are as expected, for people.
pub(crate) fn print_summary(scenarios: usize, checked: Checked) -> Result<(), OutputError> {
    let Checked { passed, failed } = checked;
    let metrics = passed + failed;
    let (style, verdict) = match failed {
        0 => (GOOD, "all as expected".to_owned()),
        failed => (BAD, format!("{failed} not as expected (- expected, + written)")),
    };
    terminal::print(&format!(
        "{} of {}: {style}{verdict}{style:#}",
        counted(metrics, "metric"),
        counted(scenarios, "scenario"),
    ))
}
