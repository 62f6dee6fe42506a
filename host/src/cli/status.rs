//! `loghost status`

use std::time::Duration;

use loghost_core::domain::ConsumerName;

use super::connection::{ConnectionArgs, ManagementArgs};
use super::defaults::{Shown, time};
use super::{FormatArg, parse};
use crate::commands::status::{OVER, Options};
use crate::compose::failure::Failure;

/// Shows how far behind consumers are: from the broker alone, from any machine
///
/// It looks twice at each queue, and changes nothing. The exit status is 1 if logs wait at both looks and nobody reads, or
/// if a consumer that is named has no queue. A host that stands by reads nothing, and is not seen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names of consumers; without one, all whose queues the management API knows
    #[arg(value_name = "CONSUMER", value_parser = parse::consumer)]
    consumers: Vec<ConsumerName>,

    /// The time between the two looks
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    over: Option<Duration>,

    /// How results are written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    management: ManagementArgs,
}

pub(super) fn defaults() -> Vec<Shown> {
    vec![("over", time(OVER))]
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        Ok(Self {
            target: args.connection.target()?,
            management: args.management.url()?,
            consumers: args.consumers,
            over: args.over.unwrap_or(OVER),
            format: FormatArg::or_default(args.format),
        })
    }
}
