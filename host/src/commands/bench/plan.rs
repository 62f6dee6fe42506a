//! Which cases a bench has, and with how many logs.

use super::Options;
use crate::compose::target::BrokerChoice;
use crate::files::bench_plugins::BenchPlugin;
use crate::ui::bench::{Bench, Case, Pace};

/// How many bytes of text a run has, at most.
const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// How long logs are sent at a rate, at most, in seconds.
const PACED_SECONDS: u64 = 2;

/// How many logs a plugin has counted when its memory is looked at.
const MEMORY_LOGS: u64 = 1000;

/// Of how many traces one is recorded where consumers are watched. Programs that trace every request record a small share of
/// them, and say so to all others, as no collector would take a span of each; of this, 1 in 100 is a common setting.
const ONE_RECORDED_OF: u32 = 100;

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
        Bench::Observed => each_plugin
            .map(|plugin| Case::Observed { plugin, size: first, one_recorded_of: ONE_RECORDED_OF })
            .collect(),
        Bench::Publish => sizes.iter().map(|size| Case::Publish { size: *size }).collect(),
        Bench::Latency => [Pace::Rate(1000), Pace::Rate(10_000), Pace::Saturation]
            .map(|pace| Case::Latency { pace, size: first })
            .into(),
        Bench::Start => [1, 4].map(|plugins| Case::Start { plugins }).into(),
        Bench::Memory => {
            let most = plugins.iter().copied().max().unwrap_or(fewest);
            let host = each_plugin.map(|plugin| Case::HostMemory { plugin, plugins: most });
            let sizes = if matches!(options.on, BrokerChoice::Embedded) { sizes.as_slice() } else { &[] };
            host.chain(sizes.iter().map(|size| Case::BrokerMemory { size: *size })).collect()
        }
    }
}

/// How many logs are sent in a run, when nobody wants more than `most`. Each of many plugins gets a
/// smaller share, though not so small that all they do is begin.
pub(super) fn logs(case: &Case, most: u64) -> u64 {
    let within = |size: u64| most.min(MOST_BYTES / size);
    let logs = match *case {
        Case::Start { .. } => return 0,
        Case::Consume { plugins, size, .. } => within(size).min(most / u64::from(plugins.min(16))),
        Case::Observed { size, .. }
        | Case::Publish { size }
        | Case::Latency { pace: Pace::Saturation, size }
        | Case::BrokerMemory { size } => within(size),
        Case::Latency { pace: Pace::Rate(rate), .. } => most.min(u64::from(rate) * PACED_SECONDS),
        Case::HostMemory { .. } => most.min(MEMORY_LOGS),
    };
    logs.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_bounded_by_logs_and_by_bytes() {
        let consume = |plugins, size| Case::Consume { plugin: BenchPlugin::Counting, plugins, size };
        assert_eq!(logs(&consume(1, 100), 50_000), 50_000);
        assert_eq!(logs(&consume(64, 100), 50_000), 3125);
        assert_eq!(logs(&consume(1, 64 * 1024), 50_000), 2048);
        assert_eq!(logs(&consume(64, 100), 1), 1);
        assert_eq!(logs(&Case::Latency { pace: Pace::Rate(1000), size: 100 }, 50_000), 2000);
    }
}
