//! Which logs are looked at, and until when.

use std::num::NonZeroU64;

use loghost_core::domain::{Filter, Pattern, Severities, Severity};
use loghost_rabbitmq::BindRules;

use super::bind::{self, BindArgs};
use super::connection::ConnectionArgs;
use super::parse;
use super::past::PastArgs;
use crate::compose::failure::Failure;
use crate::compose::reading::look::Look;

#[derive(Debug, clap::Args)]
pub(super) struct LookArgs {
    /// Only those of this severity; may be given several times
    #[arg(long, value_name = "SEVERITY", help_heading = "Which", value_parser = parse::severity)]
    severity: Vec<Severity>,

    /// Only those whose source matches: words separated by dots, `*` for one word, `#` for any number; may be given
    /// several times
    #[arg(long, value_name = "PATTERN", help_heading = "Which", value_parser = |text: &str| Pattern::new(text))]
    source: Vec<Pattern>,

    /// End after so many
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU64>)]
    max_logs: Option<NonZeroU64>,

    #[command(flatten)]
    bind: BindArgs,

    #[command(flatten)]
    past: PastArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

impl TryFrom<LookArgs> for Look {
    type Error = Failure;

    fn try_from(args: LookArgs) -> Result<Self, Failure> {
        let severities = if args.severity.is_empty() { Severity::ALL.to_vec() } else { args.severity };
        let (target, rules, past) = (args.connection.target()?, BindRules::from(args.bind), args.past.past());
        bind::are_of_others(&rules, &target.names)?;
        if past.is_some() {
            bind::have_streams(&rules, &target.names)?;
        }
        Ok(Self {
            target,
            filter: Filter::new(Severities::from_iter(severities), args.source),
            rules,
            max_logs: args.max_logs,
            past,
        })
    }
}
