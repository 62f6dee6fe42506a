//! `loghost record`

use std::time::Duration;

use loghost_core::domain::scenario::ConsumerRef;

use super::look::LookArgs;
use super::parse;
use crate::commands::record::Options;
use crate::compose::failure::Failure;

/// Writes what comes, or came, as a scenario, so that production becomes a test
///
/// It reads a copy of what is published from now on, or with --from what the streams have, as `tail` does, and writes a scenario to standard output:
/// `loghost record --max-logs 200 > shop.txt && loghost verify --bless shop.txt`. Equal logs in a row are written as one
/// (`x3`). A scenario has no times and no ids. A log of which it cannot say something (a line end in a source or in an
/// attribute's value, a blank in a key) is left out; the exit status is then 65.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    look: LookArgs,

    /// End after so long; without it, --max-logs or --until, at Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = parse::duration)]
    period: Option<Duration>,

    /// Whose metric the scenario expects: a plugin's file, as a path from the scenario, or a bundled plugin; may be given
    /// several times
    ///
    /// Without it: the bundled plugins.
    #[arg(long, value_name = "PLUGIN", value_parser = parse::expected)]
    expect: Vec<ConsumerRef>,
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        Ok(Self { look: args.look.try_into()?, expect: args.expect, period: args.period })
    }
}
