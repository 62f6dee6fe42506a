//! `loghost tail`

use std::num::NonZeroU64;

use regex::Regex;

use super::bind::BindArgs;
use super::connection::ConnectionArgs;
use super::live_logs::LiveLogArgs;
use super::{FormatArg, parse};
use crate::commands::tail::Options;
use crate::compose::failure::Failure;

/// Shows the logs themselves, as they come, and takes them from nobody
///
/// It reads a copy of what is published from now on, from a queue that goes when it ends. Whoever reads slowly holds up
/// nobody: the broker keeps the last 10,000 logs or 32 MiB, and drops what is older. How many were dropped is said where
/// their ids tell, as those of `loghost publish` do.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    logs: LiveLogArgs,

    /// Only those whose message matches, such as `timed? out` or `(?i)disk`
    #[arg(long, value_name = "REGEX", help_heading = "Which", value_parser = parse::regex)]
    grep: Option<Regex>,

    /// End after so many
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU64>)]
    max_logs: Option<NonZeroU64>,

    /// How they are written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    #[command(flatten)]
    bind: BindArgs,

    #[command(flatten)]
    connection: ConnectionArgs,
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        Ok(Self {
            target: args.connection.target()?,
            filter: args.logs.into(),
            rules: args.bind.into(),
            grep: args.grep,
            max_logs: args.max_logs,
            format: FormatArg::or_default(args.format),
        })
    }
}
