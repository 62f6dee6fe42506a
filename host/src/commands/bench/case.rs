//! The cases of each bench: what is measured side by side.

use std::fmt;

use serde_json::{Map, Value};

use super::figure::grouped;
use super::{On, Options};
use crate::files::bench_plugins::BenchPlugin;

/// Something that a person may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    Consume,
    Publish,
    Latency,
    Start,
    Memory,
}

/// One answer to it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Case {
    Consume {
        plugin: BenchPlugin,
        plugins: u32,
        size: u64,
    },
    Publish {
        size: u64,
    },
    Latency {
        pace: Pace,
        size: u64,
    },
    /// Of bundled plugins.
    Start {
        plugins: u32,
    },
    /// Of a host with one plugin, and with this many.
    HostMemory {
        plugin: BenchPlugin,
        plugins: u32,
    },
    /// Of an embedded broker.
    BrokerMemory {
        size: u64,
    },
}

/// How fast logs are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// So many a second.
    Rate(u32),
    /// As fast as the broker takes them.
    Saturation,
}

/// How many bytes of text a run has, at most.
const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// How long logs are sent at a rate, at most, in seconds.
const PACED_SECONDS: u64 = 2;

/// How many logs a plugin has counted when its memory is looked at.
const MEMORY_LOGS: u64 = 1000;

/// The cases of `bench`. Of consumers, numbers and sizes, not all combinations: each number with the first
/// size, and each size with the first number.
pub(super) fn plan(bench: Bench, options: &Options) -> Vec<Case> {
    let Options { plugins, sizes, .. } = options;
    let (fewest, first) = (plugins[0], sizes[0]);
    let each_plugin = BenchPlugin::ALL.into_iter();
    match bench {
        Bench::Consume => each_plugin
            .flat_map(|plugin| {
                let numbers = plugins.iter().map(move |n| (*n, first));
                let combinations = numbers.chain(sizes[1..].iter().map(move |size| (fewest, *size)));
                combinations.map(move |(plugins, size)| Case::Consume { plugin, plugins, size })
            })
            .collect(),
        Bench::Publish => sizes.iter().map(|size| Case::Publish { size: *size }).collect(),
        Bench::Latency => [Pace::Rate(1000), Pace::Rate(10_000), Pace::Saturation]
            .map(|pace| Case::Latency { pace, size: first })
            .into(),
        Bench::Start => [1, 4].map(|plugins| Case::Start { plugins }).into(),
        Bench::Memory => {
            let most = plugins.iter().copied().max().unwrap_or(fewest);
            let host = each_plugin.map(|plugin| Case::HostMemory { plugin, plugins: most });
            let sizes = if matches!(options.on, On::Embedded) { sizes.as_slice() } else { &[] };
            host.chain(sizes.iter().map(|size| Case::BrokerMemory { size: *size })).collect()
        }
    }
}

impl Case {
    /// How many logs are sent in a run, when nobody wants more than `most`. Each of many plugins gets a
    /// smaller share, though not so small that all they do is begin.
    pub(super) fn logs(&self, most: u64) -> u64 {
        let within = |size: u64| most.min(MOST_BYTES / size);
        let logs = match *self {
            Self::Start { .. } => return 0,
            Self::Consume { plugins, size, .. } => within(size).min(most / u64::from(plugins.min(16))),
            Self::Publish { size }
            | Self::Latency { pace: Pace::Saturation, size }
            | Self::BrokerMemory { size } => within(size),
            Self::Latency { pace: Pace::Rate(rate), .. } => most.min(u64::from(rate) * PACED_SECONDS),
            Self::HostMemory { .. } => most.min(MEMORY_LOGS),
        };
        logs.max(1)
    }

    /// What it is called, in columns.
    pub(super) fn words(&self) -> Vec<String> {
        match *self {
            Self::Consume { plugin, plugins, size } => {
                vec!["consume".into(), plugin.to_string(), count(plugins), bytes(size)]
            }
            Self::Publish { size } => vec!["publish".into(), bytes(size)],
            Self::Latency { pace, .. } => vec!["latency".into(), pace.to_string()],
            Self::Start { plugins } => vec!["start".into(), count(plugins)],
            Self::HostMemory { plugin, plugins } => {
                vec!["memory".into(), plugin.to_string(), count(plugins)]
            }
            Self::BrokerMemory { size } => vec!["memory".into(), "broker".into(), bytes(size)],
        }
    }

    /// What it is called: the same in every run of every version.
    pub(super) fn name(&self) -> String {
        self.words().join(" ")
    }

    /// What it is, for machines.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut say = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        say("case", self.name().into());
        match *self {
            Self::Consume { plugin, plugins, size } => {
                say("bench", "consume".into());
                say("consumer", plugin.to_string().into());
                say("plugins", plugins.into());
                say("log_bytes", size.into());
            }
            Self::Publish { size } => {
                say("bench", "publish".into());
                say("log_bytes", size.into());
            }
            Self::Latency { pace, size } => {
                say("bench", "latency".into());
                say("log_bytes", size.into());
                let rate = if let Pace::Rate(rate) = pace { Some(rate) } else { None };
                say("intended_logs_per_second", rate.into());
            }
            Self::Start { plugins } => {
                say("bench", "start".into());
                say("plugins", plugins.into());
            }
            Self::HostMemory { plugin, plugins } => {
                say("bench", "memory".into());
                say("consumer", plugin.to_string().into());
                say("plugins", plugins.into());
            }
            Self::BrokerMemory { size } => {
                say("bench", "memory".into());
                say("log_bytes", size.into());
            }
        }
        fields
    }
}

impl fmt::Display for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consume => "consume",
            Self::Publish => "publish",
            Self::Latency => "latency",
            Self::Start => "start",
            Self::Memory => "memory",
        })
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{} logs/s", grouped(u64::from(*rate))),
            Self::Saturation => f.write_str("saturation"),
        }
    }
}

fn count(plugins: u32) -> String {
    if plugins == 1 { "1 plugin".to_owned() } else { format!("{plugins} plugins") }
}

/// A number of bytes, exactly.
fn bytes(size: u64) -> String {
    const UNITS: [(u64, &str); 2] = [(1024 * 1024, "MiB"), (1024, "KiB")];
    let unit = UNITS.iter().find(|(unit, _)| size.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{size} B"), |(unit, name)| format!("{} {name}", size / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_bounded_by_logs_and_by_bytes() {
        let consume = |plugins, size| Case::Consume { plugin: BenchPlugin::Counting, plugins, size };
        assert_eq!(consume(1, 100).logs(50_000), 50_000);
        assert_eq!(consume(64, 100).logs(50_000), 3125);
        assert_eq!(consume(1, 64 * 1024).logs(50_000), 2048);
        assert_eq!(consume(64, 100).logs(1), 1);
        assert_eq!(Case::Latency { pace: Pace::Rate(1000), size: 100 }.logs(50_000), 2000);
    }

    #[test]
    fn sizes_are_named_exactly() {
        assert_eq!(
            [100, 1024, 65536, 1 << 20, 1500].map(bytes),
            ["100 B", "1 KiB", "64 KiB", "1 MiB", "1500 B"]
        );
    }
}
