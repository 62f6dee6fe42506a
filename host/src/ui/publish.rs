//! How it is shown what became of published logs: a line, or JSON; and warnings of those that are not where they should be.

use loghost_core::application::Receipts;
use loghost_core::domain::{Severity, Tally};
use serde_json::json;

use crate::ui::events::command::{PublishedTo, PublishingEvent};
use crate::ui::terminal::{self, OutputError, OutputFormat, tally_json, total_text};

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

    /// Tells what is not confirmed, and what no queue has; `to` is the exchange of others that was published to.
    pub(crate) fn warn(&self, to: Option<&str>) {
        let Receipts { unroutable, refused, .. } = self.receipts;
        if unroutable.total() > 0 {
            terminal::tell(PublishingEvent::Unroutable(unroutable, PublishedTo::of(to)));
        }
        if refused.total() > 0 {
            terminal::tell(PublishingEvent::Refused(refused));
        }
        if self.skipped_lines > 0 {
            terminal::tell(PublishingEvent::LinesSkipped(self.skipped_lines));
        }
        if let Some((logs, severity)) = self.undetermined {
            terminal::tell(PublishingEvent::Undetermined(logs, severity));
        }
        if self.unanswered > 0 {
            terminal::tell(PublishingEvent::Unanswered(self.unanswered));
        }
    }
}
