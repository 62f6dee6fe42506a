//! What is said of a recording, in the scenario and beside it.

use std::time::SystemTime;

use loghost_core::domain::{Filter, Pattern, printable_line};

use crate::ui::terminal;

/// The comment that a recorded scenario begins with, and a blank line.
pub(crate) fn head(filter: &Filter) -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now());
    let sources: Vec<&str> = filter.sources().iter().map(Pattern::as_str).collect();
    let what = format!("{} of the sources {}", filter.severities(), sources.join(", "));
    let what = printable_line(&what);
    format!("# Recorded by `loghost record` at {time}: {what}. Times and ids are left out.\n")
}

/// Warns of the first log that a scenario cannot say.
pub(crate) fn warn_left_out(why: &str) {
    terminal::warning(&format!(
        "a log is left out, as are others of which a scenario cannot say something: {why}"
    ));
}

/// Says how many logs the scenario has, and how many were left out.
pub(crate) fn say_recorded(written: u64, left_out: u64) {
    terminal::notice(&format!(
        "recorded {written}  left out {left_out}; `loghost verify --bless FILE` writes down what consumers make of them"
    ));
}
