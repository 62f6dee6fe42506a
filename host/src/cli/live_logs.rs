//! Which of the logs that come are meant.

use loghost_core::domain::{Filter, Pattern, Severities, Severity};

use super::parse;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which")]
pub(super) struct LiveLogArgs {
    /// Only those of this severity; may be given several times
    #[arg(long, value_name = "SEVERITY", value_parser = parse::severity)]
    severity: Vec<Severity>,

    /// Only those whose source matches: words separated by dots, `*` for one word, `#` for any number; may be given
    /// several times
    #[arg(long, value_name = "PATTERN", value_parser = |text: &str| Pattern::new(text))]
    source: Vec<Pattern>,
}

impl From<LiveLogArgs> for Filter {
    fn from(args: LiveLogArgs) -> Self {
        let severities = if args.severity.is_empty() { Severity::ALL.to_vec() } else { args.severity };
        Self::new(Severities::from_iter(severities), args.source)
    }
}
