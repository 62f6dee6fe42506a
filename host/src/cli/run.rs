//! `loghost run`

use std::num::{NonZeroU16, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use super::connection::ConnectionArgs;
use super::limits::LimitArgs;
use super::{FormatArg, parse};
use crate::adapters::amqp::QueueKind;
use crate::app::Failure;
use crate::app::run::{Derived, Options, Purpose};

/// Consumes from a broker, with any number of plugins
///
/// Ends at Ctrl-C or SIGTERM: the batch in hand is finished and acknowledged, and the last metric
/// printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Components; of a folder, every `.wasm` in it
    #[arg(required = true, value_name = "PLUGIN")]
    plugins: Vec<PathBuf>,

    /// A setting for `configure` of every plugin of this run; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::key_value)]
    set: Vec<(String, String)>,

    /// How metrics are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: FormatArg,

    /// Least time between two metrics of a plugin
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse::duration)]
    every: Duration,

    /// End when no plugin has received a log for this long
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    until_idle: Option<Duration>,

    /// End each plugin when it has counted this many logs
    #[arg(long, value_name = "N")]
    max_logs: Option<NonZeroU64>,

    /// Use a queue that goes when this ends, for a look that leaves nothing behind
    #[arg(long, conflicts_with = "declare_only")]
    ephemeral: bool,

    /// Declare exchanges, queues and bindings, and end
    #[arg(long)]
    declare_only: bool,

    /// How many logs of a plugin may be under way, unacknowledged
    #[arg(long, value_name = "N", default_value = "1000")]
    prefetch: NonZeroU16,

    /// How many logs a plugin gets at once, at most
    #[arg(long, value_name = "N", default_value = "256")]
    max_batch: NonZeroU16,

    /// How often a log that a plugin wants to retry is tried again before it goes to the dead letters
    #[arg(long, value_name = "N", default_value = "5")]
    max_retries: u32,

    /// Allow plugins more than to consume; `publish`: to publish logs of their own
    #[arg(long, value_name = "RIGHT")]
    grant: Vec<Grant>,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Grant {
    /// To publish logs
    Publish,
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        Ok(Self {
            target: args.connection.target()?,
            plugins: args.plugins,
            settings: parse::unique(args.set)?,
            limits: args.limits.into(),
            format: args.format.into(),
            queue: if args.ephemeral { QueueKind::Exclusive } else { QueueKind::Named },
            purpose: if args.declare_only { Purpose::Declare } else { Purpose::Consume },
            prefetch: args.prefetch.get(),
            every: args.every,
            until_idle: args.until_idle,
            max_logs: args.max_logs.map(NonZeroU64::get),
            max_batch: args.max_batch.get().into(),
            max_retries: args.max_retries,
            derived: if args.grant.contains(&Grant::Publish) { Derived::Granted } else { Derived::Refused },
        })
    }
}
