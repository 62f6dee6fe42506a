//! `loghost record`

use std::num::NonZeroU64;
use std::time::Duration;

use loghost_core::domain::scenario::ConsumerRef;

use super::bind::BindArgs;
use super::connection::ConnectionArgs;
use super::live_logs::LiveLogArgs;
use super::parse;
use crate::commands::record::Options;
use crate::compose::failure::Failure;

/// Writes what comes as a scenario, so that production becomes a test
///
/// It reads a copy of what is published from now on, as `tail` does, and writes a scenario to standard output:
/// `loghost record --max-logs 200 > shop.txt && loghost verify --bless shop.txt`. Equal logs in a row are written as one
/// (`x3`). A scenario has no times and no ids. A log of which it cannot say something (a line end in a source or in an
/// attribute's value, a blank in a key) is left out; the exit status is then 65.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    logs: LiveLogArgs,

    /// End after so many; without it or --for, at Ctrl-C
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU64>)]
    max_logs: Option<NonZeroU64>,

    /// End after so long
    #[arg(long = "for", value_name = "TIME", value_parser = parse::duration)]
    period: Option<Duration>,

    /// Whose metric the scenario expects: a plugin's file, as a path from the scenario, or a bundled plugin; may be given
    /// several times
    ///
    /// Without it: the bundled plugins.
    #[arg(long, value_name = "PLUGIN", value_parser = parse::expected)]
    expect: Vec<ConsumerRef>,

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
            expect: args.expect,
            max_logs: args.max_logs,
            period: args.period,
        })
    }
}
