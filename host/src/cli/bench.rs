//! `loghost bench`

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ValueEnum;
use loghost_rabbitmq::{Begin, Prefix, QueueType, StreamAddress, StreamOptions};

use super::defaults::{ShownDefault, size};
use super::queues::{QueueTypeArg, only_of_streams};
use super::{FormatArg, connection, parse};
use crate::commands::bench::{Bench, ConsumedQueues, Options};
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

    /// What is consumed from; a broker's streams are read from their first log
    #[arg(long, value_enum, value_name = "TYPE")]
    queue_type: Option<QueueTypeArg>,

    /// Where the stream protocol is spoken, if not where the broker says, as for `loghost run`
    #[arg(long, value_name = "HOST:PORT")]
    stream_address: Option<StreamAddress>,

    /// What the names of the exchanges and queues begin with; something that is unique is added
    #[arg(long, value_name = "NAME")]
    prefix: Option<Prefix>,

    /// How often each case is measured; medians are shown
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU32>)]
    runs: Option<NonZeroU32>,

    /// How many logs are sent in a run, at most; fewer where logs are large, plugins many, or a rate is given
    #[arg(long, value_name = "N", value_parser = parse::from_one::<NonZeroU64>)]
    logs: Option<NonZeroU64>,

    /// How many plugins consume side by side, each from a queue of its own
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = parse::from_one::<NonZeroU32>)]
    plugins: Vec<NonZeroU32>,

    /// How large logs are; latency is measured of the first
    #[arg(long, value_name = "SIZE,SIZE", value_delimiter = ',',
        value_parser = parse::bytes)]
    sizes: Vec<ByteSize>,

    /// How the results are written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    /// Show ratios to an earlier run, which was written to this file with --format json
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// What there is to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum BenchArg {
    /// How fast full queues are emptied, by plugins that only count and by plugins that read
    Consume,
    /// How much slower that is, and what memory it takes, when a page is open, events are read, metrics are scraped, metrics and
    /// traces are sent to a collector, and the view is drawn
    Observed,
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

pub(super) fn defaults() -> Vec<ShownDefault> {
    let Options { prefix, runs, logs, plugins, sizes, .. } = Options::default();
    let plugins: Vec<String> = plugins.iter().map(u32::to_string).collect();
    let sizes: Vec<String> = sizes.iter().map(|bytes| size(ByteSize(*bytes))).collect();
    vec![
        ("prefix", prefix),
        ("runs", runs.to_string()),
        ("logs", logs.to_string()),
        ("plugins", plugins.join(",")),
        ("sizes", sizes.join(",")),
    ]
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let default = Self::default();
        only_of_streams("--stream-address", args.stream_address.is_some(), args.queue_type)?;
        let addresses = connection::addresses(&args.broker)?;
        let sizes = args.sizes;
        if let Some(size) = sizes.iter().find(|size| **size > LARGEST) {
            return Err(Failure::new(Status::Usage, format!("--sizes {size}: expected at most {LARGEST}")));
        }
        let plugins: Vec<u32> = args.plugins.iter().map(|plugins| plugins.get()).collect();
        if let Some(plugins) = plugins.iter().find(|plugins| **plugins > MOST_PLUGINS) {
            return Err(Failure::new(
                Status::Usage,
                format!("--plugins {plugins}: expected at most {MOST_PLUGINS}"),
            ));
        }
        let benches = BenchArg::value_variants().iter().filter(|bench| args.benches.contains(bench));
        let benches: Vec<Bench> = benches.map(|bench| (*bench).into()).collect();
        let sizes = sizes.iter().map(ByteSize::as_u64).collect();
        Ok(Self {
            benches: if benches.is_empty() { default.benches } else { benches },
            on: addresses.into(),
            queues: ConsumedQueues {
                queue_type: args.queue_type.map_or(default.queues.queue_type, QueueType::from),
                streams: (args.queue_type == Some(QueueTypeArg::Stream)).then(|| StreamOptions {
                    begin: Some(Begin::First),
                    address: args.stream_address,
                    ..StreamOptions::default()
                }),
            },
            prefix: args.prefix.map_or(default.prefix, |prefix| prefix.to_string()),
            runs: args.runs.map_or(default.runs, NonZeroU32::get),
            logs: args.logs.map_or(default.logs, NonZeroU64::get),
            plugins: ascending(plugins).unwrap_or(default.plugins),
            sizes: ascending(sizes).unwrap_or(default.sizes),
            format: FormatArg::or_default(args.format),
            compare: args.compare,
        })
    }
}

/// Each value once, in their order; none if there are none.
fn ascending<T: Ord>(mut values: Vec<T>) -> Option<Vec<T>> {
    values.sort_unstable();
    values.dedup();
    (!values.is_empty()).then_some(values)
}

impl From<BenchArg> for Bench {
    fn from(bench: BenchArg) -> Self {
        match bench {
            BenchArg::Consume => Self::Consume,
            BenchArg::Observed => Self::Observed,
            BenchArg::Publish => Self::Publish,
            BenchArg::Latency => Self::Latency,
            BenchArg::Start => Self::Start,
            BenchArg::Memory => Self::Memory,
        }
    }
}
