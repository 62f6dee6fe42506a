//! What a recorded scenario begins with.

use std::time::SystemTime;

use loghost_core::domain::{Filter, Pattern, printable_line};

/// The comment that a recorded scenario begins with, and a blank line.
pub(crate) fn head(filter: &Filter) -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now());
    let sources: Vec<&str> = filter.sources().iter().map(Pattern::as_str).collect();
    let what = format!("{} of the sources {}", filter.severities(), sources.join(", "));
    let what = printable_line(&what);
    format!("# Recorded by `loghost record` at {time}: {what}. Times and ids are left out.\n")
}
