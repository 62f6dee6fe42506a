//! How a demo is shown: what is played, what was published, every metric, and whether that is what was expected.

use loghost_core::domain::{Tally, printable, printable_line};
use loghost_rabbitmq::Address;

use crate::ui::terminal::{self, DIM, GOOD, TITLE, Unwritable, counted};
use crate::ui::verify::{PlayedMetric, line};

/// Says what is played, and where.
pub(crate) fn say_playing(scenario: &str, address: &Address) {
    terminal::notice(&format!("playing {scenario} on an embedded broker at {address}"));
}

/// Prints what the broker has `confirmed`, and what came of it.
pub(crate) fn print(confirmed: &Tally, metrics: &[PlayedMetric]) -> Result<(), Unwritable> {
    terminal::print(&format!("published  {}\n", terminal::total_text(confirmed)))?;
    for metric in metrics {
        let text = match &metric.actual {
            Ok(text) => indented(text),
            Err(_) => String::new(),
        };
        terminal::print(&format!(
            "{TITLE}{}{TITLE:#}\n{text}",
            printable_line(&metric.expectation.consumer.to_string())
        ))?;
    }
    let wrong: Vec<String> = metrics.iter().filter(|metric| !metric.passed()).map(line).collect();
    if wrong.is_empty() {
        let all = counted(metrics.len(), "metric");
        return terminal::print(&format!("{GOOD}{all}, as the scenario expects{GOOD:#}"));
    }
    terminal::print(&format!(
        "not as the scenario expects {DIM}(- expected, + written){DIM:#}\n{}",
        wrong.join("\n")
    ))
}

fn indented(text: &str) -> String {
    printable(text).split_inclusive('\n').flat_map(|line| ["  ", line]).chain(["\n"]).collect()
}
