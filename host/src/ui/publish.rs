//! How it is shown what became of published logs: a line, or JSON; and warnings of those that are not where they should be.

use loghost_core::application::Receipts;
use loghost_core::domain::{Severity, Tally, printable_line};
use serde_json::json;

use crate::ui::terminal::{self, OutputError, OutputFormat, tally_json, tally_text, total_text};

/// What to do about logs that find no queue; `to` is the exchange of others that they are published to, if it is one.
fn declare(to: Option<&str>) -> String {
    match to {
        None => "is the consumer's queue declared? `loghost run PLUGIN --declare-only`".to_owned(),
        Some(exchange) => format!(
            "is a queue bound to `{}`, for their routing keys? `loghost run PLUGIN --bind EXCHANGE --declare-only`",
            printable_line(exchange)
        ),
    }
}

/// What became of the logs of an input.
pub(crate) struct Published {
    /// What the broker has answered.
    pub(crate) receipts: Receipts,
    /// What had been confirmed before, as the journal has it.
    pub(crate) already: Tally,
    pub(crate) has_journal: bool,
    /// How many were sent, and not answered.
    pub(crate) unanswered: u64,
    /// How many lines were too long.
    pub(crate) skipped_lines: u64,
    /// How many logs did not say how serious they are, and what they were published as.
    pub(crate) undetermined: Option<(u64, Severity)>,
    /// How many logs were held back, as they may not be whole yet.
    pub(crate) deferred: u64,
}

impl Published {
    /// Prints it.
    pub(crate) fn print(&self, format: OutputFormat) -> Result<(), OutputError> {
        let Receipts { confirmed, unroutable, refused } = &self.receipts;
        match format {
            OutputFormat::Text => {
                let before = if self.has_journal {
                    format!("  already confirmed {}", self.already.total())
                } else {
                    String::new()
                };
                terminal::print(&format!("confirmed  {}{before}", total_text(confirmed)))
            }
            OutputFormat::Json => terminal::print_json(&json!({
                "confirmed": tally_json(confirmed),
                "already_confirmed": tally_json(&self.already),
                "unroutable": tally_json(unroutable),
                "refused": tally_json(refused),
                "unanswered": self.unanswered,
                "skipped_lines": self.skipped_lines,
                "held_back": self.deferred,
                "undetermined": self.undetermined.map_or(0, |(logs, _)| logs),
            })),
        }
    }

    /// Warns of what is not confirmed, and of what no queue has; `to` is the exchange of others that was published to.
    pub(crate) fn warn(&self, to: Option<&str>) {
        let Receipts { unroutable, refused, .. } = &self.receipts;
        if unroutable.total() > 0 {
            terminal::warning(&format!(
                "no queue wanted {} of these logs ({}): {}",
                unroutable.total(),
                tally_text(unroutable),
                declare(to)
            ));
        }
        if refused.total() > 0 {
            terminal::warning(&format!(
                "{} logs were refused ({}), or one before them of their severity and source: they are not sent",
                refused.total(),
                tally_text(refused)
            ));
        }
        if self.skipped_lines > 0 {
            terminal::warning(&format!("{} lines were too long, and skipped", self.skipped_lines));
        }
        if let Some((logs, severity)) = self.undetermined {
            terminal::notice(&format!(
                "{logs} logs without a severity of their own: published as {severity}"
            ));
        }
        if self.unanswered > 0 {
            terminal::warning(&format!(
                "{} logs were sent and not answered: whether they arrived is unknown",
                self.unanswered
            ));
        }
    }
}

/// Warns, while publishing goes on, of the first logs that no queue wants.
pub(crate) fn warn_unroutable(unroutable: &Tally, to: Option<&str>) {
    terminal::warning(&format!("no queue wants these logs ({}): {}", tally_text(unroutable), declare(to)));
}
