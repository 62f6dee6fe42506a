//! `loghost bench`

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ValueEnum;
use loghost_rabbitmq::Prefix;

use super::{FormatArg, connection, parse};
use crate::commands::bench::{Bench, Options};
use crate::compose::failure::{Failure, Status};

/// Measures what loghost does on this machine: how many logs a second, at what cost, how soon
///
/// On an embedded broker in a process of its own, or with --broker on that one: with exchanges and queues of
/// its own there, which go when it ends. Takes two minutes, and on RabbitMQ several times that: give it less
/// to do with --runs, --logs, or the names of benches.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to measure; everything if nothing is named
    #[arg(value_name = "BENCH")]
    benches: Vec<BenchArg>,

    /// Measure on this broker: amqp://user:password@host:port/vhost; several are tried in turn
    #[arg(long, value_name = "URL")]
    broker: Vec<String>,

    /// What the names of the exchanges and queues begin with; something that is unique is added
    #[arg(long, value_name = "NAME", default_value = "bench")]
    prefix: Prefix,

    /// How often each case is measured; medians are shown
    #[arg(long, value_name = "N", default_value = "5", value_parser = parse::from_one::<NonZeroU32>)]
    runs: NonZeroU32,

    /// How many logs are sent in a run, at most; fewer where logs are large, plugins many, or a rate is given
    #[arg(long, value_name = "N", default_value = "50000", value_parser = parse::from_one::<NonZeroU64>)]
    logs: NonZeroU64,

    /// How many plugins consume side by side, each from a queue of its own
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1,4,64",
        value_parser = parse::from_one::<NonZeroU32>)]
    plugins: Vec<NonZeroU32>,

    /// How large logs are; latency is measured of the first
    #[arg(long, value_name = "SIZE,SIZE", value_delimiter = ',', default_value = "100B,1KiB,64KiB",
        value_parser = parse::bytes)]
    sizes: Vec<ByteSize>,

    /// How the results are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: FormatArg,

    /// Show ratios to an earlier run, which was written to this file with --format json
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// What there is to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum BenchArg {
    /// How fast full queues are emptied, by plugins that only count and by plugins that read
    Consume,
    /// How fast logs are published and confirmed
    Publish,
    /// How long it takes from the call of publish until a log is counted
    Latency,
    /// How long a host takes from its start until it consumes
    Start,
    /// What a plugin takes of memory, and a log in the embedded broker's queue
    Memory,
}

/// The largest logs that there are figures for.
const LARGEST: ByteSize = ByteSize::mib(1);

/// The most plugins that there are figures for.
const MOST_PLUGINS: u32 = 1000;

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let addresses = connection::addresses(&args.broker)?;
        if let Some(size) = args.sizes.iter().find(|size| **size > LARGEST) {
            return Err(Failure::new(Status::Usage, format!("--sizes {size}: expected at most {LARGEST}")));
        }
        let mut plugins: Vec<u32> = args.plugins.iter().map(|plugins| plugins.get()).collect();
        if let Some(plugins) = plugins.iter().find(|plugins| **plugins > MOST_PLUGINS) {
            return Err(Failure::new(
                Status::Usage,
                format!("--plugins {plugins}: expected at most {MOST_PLUGINS}"),
            ));
        }
        let named = |bench: &BenchArg| args.benches.is_empty() || args.benches.contains(bench);
        let mut sizes = args.sizes;
        plugins.sort_unstable();
        plugins.dedup();
        sizes.sort_unstable();
        sizes.dedup();
        Ok(Self {
            benches: BenchArg::value_variants()
                .iter()
                .filter(|bench| named(bench))
                .map(|b| (*b).into())
                .collect(),
            on: addresses.into(),
            prefix: args.prefix,
            runs: args.runs.get(),
            logs: args.logs.get(),
            plugins,
            sizes: sizes.iter().map(ByteSize::as_u64).collect(),
            format: args.format.into(),
            compare: args.compare,
        })
    }
}

impl From<BenchArg> for Bench {
    fn from(bench: BenchArg) -> Self {
        match bench {
            BenchArg::Consume => Self::Consume,
            BenchArg::Publish => Self::Publish,
            BenchArg::Latency => Self::Latency,
            BenchArg::Start => Self::Start,
            BenchArg::Memory => Self::Memory,
        }
    }
}
