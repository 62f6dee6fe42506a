//! The cases of each bench, which are measured side by side, and what they are called.

use std::fmt;

use serde_json::{Map, Value};

use super::figure::{Quantity, grouped};
use crate::files::bench_plugins::BenchPlugin;

/// Something that a person may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    Consume,
    Observed,
    Publish,
    Latency,
    Start,
    Memory,
}

/// One answer to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Case {
    Consume {
        plugin: BenchPlugin,
        plugins: u32,
        size: u64,
    },
    /// Watched, and not.
    Observed {
        plugin: BenchPlugin,
        size: u64,
        /// Of how many traces one is recorded: each log belongs to one.
        one_recorded_of: u32,
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
pub(crate) enum Pace {
    /// So many a second.
    Rate(u32),
    /// As fast as the broker takes them.
    Saturation,
}

impl Bench {
    pub(crate) const ALL: [Self; 6] =
        [Self::Consume, Self::Observed, Self::Publish, Self::Latency, Self::Start, Self::Memory];
}

impl Case {
    /// What it is called, in columns.
    pub(crate) fn words(&self) -> Vec<String> {
        match *self {
            Self::Consume { plugin, plugins, size } => {
                vec!["consume".into(), plugin.to_string(), count(plugins), size_text(size)]
            }
            Self::Observed { plugin, size, .. } => {
                vec!["observed".into(), plugin.to_string(), size_text(size)]
            }
            Self::Publish { size } => vec!["publish".into(), size_text(size)],
            Self::Latency { pace, .. } => vec!["latency".into(), pace.to_string()],
            Self::Start { plugins } => vec!["start".into(), count(plugins)],
            Self::HostMemory { plugin, plugins } => {
                vec!["memory".into(), plugin.to_string(), count(plugins)]
            }
            Self::BrokerMemory { size } => vec!["memory".into(), "broker".into(), size_text(size)],
        }
    }

    /// What a quantity has to come to at least, or at most where less is better; none where nothing is promised.
    pub(crate) fn bound(&self, quantity: Quantity) -> Option<f64> {
        match (self, quantity) {
            (Self::Observed { .. }, Quantity::ObservedShare) => Some(0.97),
            (Self::Observed { .. }, Quantity::ObserversMemory) => Some(20.0 * 1024.0 * 1024.0),
            (Self::Latency { pace: Pace::Rate(1000), .. }, Quantity::Percentile99) => Some(10.0),
            _ => None,
        }
    }

    /// What else has to be known of what is measured, for people.
    pub(super) fn remark(&self) -> Option<String> {
        let Self::Observed { one_recorded_of, .. } = self else { return None };
        Some(format!(
            "observed: each log belongs to a trace, of which 1 in {one_recorded_of} is recorded, as programs that trace \
             every request are set up; recording costs as much as there are spans. Whoever watches does so on the same \
             machine"
        ))
    }

    /// What it is called: the same in every run of every version.
    pub(crate) fn name(&self) -> String {
        self.words().join(" ")
    }

    /// What it is, for machines.
    pub(crate) fn fields(&self) -> Map<String, Value> {
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
            Self::Observed { plugin, size, one_recorded_of } => {
                say("bench", "observed".into());
                say("one_trace_recorded_of", one_recorded_of.into());
                say("consumer", plugin.to_string().into());
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
            Self::Observed => "observed",
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
pub(crate) fn size_text(size: u64) -> String {
    const UNITS: [(u64, &str); 2] = [(1024 * 1024, "MiB"), (1024, "KiB")];
    let unit = UNITS.iter().find(|(unit, _)| size.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{size} B"), |(unit, name)| format!("{} {name}", size / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_named_exactly() {
        assert_eq!(
            [100, 1024, 65536, 1 << 20, 1500].map(size_text),
            ["100 B", "1 KiB", "64 KiB", "1 MiB", "1500 B"]
        );
    }
}
