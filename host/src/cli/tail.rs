//! `loghost tail`

use regex::Regex;

use super::look::LookArgs;
use super::{FormatArg, parse};
use crate::commands::tail::Options;
use crate::compose::failure::Failure;

/// Shows the logs themselves, as they come, and takes them from nobody
///
/// It reads a copy of what is published from now on, from a queue that goes when it ends. Whoever reads slowly holds up
/// nobody: the broker keeps the last 10,000 logs or 32 MiB, and drops what is older. How many were dropped is said where
/// their ids tell, as those of `loghost publish` do. With --from, it reads the streams instead, in the order of the logs'
/// times, and then, without --until, what comes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    look: LookArgs,

    /// Only those whose message matches, such as `timed? out` or `(?i)disk`
    #[arg(long, value_name = "REGEX", help_heading = "Which", value_parser = parse::regex)]
    grep: Option<Regex>,

    /// How they are written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        Ok(Self { look: args.look.try_into()?, grep: args.grep, format: FormatArg::or_default(args.format) })
    }
}
