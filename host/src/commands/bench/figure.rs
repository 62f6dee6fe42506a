//! What is measured: quantities, their values in each run, and what these come to.

use std::iter;
use std::time::Duration;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    LogsPerSecond,
    /// Of this process, in microseconds.
    CpuPerLog,
    /// Half of the logs took no longer, in milliseconds.
    Median,
    /// 99 % of them.
    Percentile99,
    /// 99.9 % of them.
    Percentile999,
    /// From the start of a process, in milliseconds.
    Start,
    /// Of a host with one plugin, in bytes.
    HostMemory,
    /// Of each further one.
    PluginMemory,
    /// Of a log in a queue.
    QueuedLog,
}

/// What is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

/// What was measured in a run.
pub(super) type Sample = Vec<(Quantity, f64)>;

/// What was measured of a quantity in all runs.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) quantity: Quantity,
    /// In their order; not empty.
    pub(super) runs: Vec<f64>,
}

impl Figure {
    /// The figures of what was measured in some runs of the same case.
    pub(super) fn of(samples: &[Sample]) -> Vec<Self> {
        let quantities = samples.first().into_iter().flatten().map(|(quantity, _)| *quantity);
        quantities
            .map(|quantity| {
                let values = samples.iter().flatten().filter(|(other, _)| *other == quantity);
                Self { quantity, runs: values.map(|(_, value)| *value).collect() }
            })
            .collect()
    }

    pub(super) fn median(&self) -> f64 {
        median(&self.runs)
    }

    /// How far the run that is furthest off is from the median, as a part of it; none of a single run.
    pub(super) fn spread(&self) -> Option<f64> {
        let median = self.median();
        let furthest = self.runs.iter().map(|run| (run - median).abs()).fold(0.0, f64::max);
        (self.runs.len() > 1 && median > 0.0).then(|| furthest / median)
    }
}

impl Quantity {
    /// Its name for machines, with its unit.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::LogsPerSecond => "logs_per_second",
            Self::CpuPerLog => "cpu_us_per_log",
            Self::Median => "p50_ms",
            Self::Percentile99 => "p99_ms",
            Self::Percentile999 => "p99_9_ms",
            Self::Start => "start_ms",
            Self::HostMemory => "host_resident_bytes",
            Self::PluginMemory => "resident_bytes_per_further_plugin",
            Self::QueuedLog => "resident_bytes_per_queued_log",
        }
    }

    pub(super) fn better(self) -> Better {
        if self == Self::LogsPerSecond { Better::More } else { Better::Less }
    }

    /// A value of it for people: the number, and the words before and behind it.
    pub(super) fn show(self, value: f64) -> (&'static str, String, &'static str) {
        match self {
            Self::LogsPerSecond => ("", number(value), "logs/s"),
            Self::CpuPerLog => ("", number(value), "µs CPU"),
            Self::Median => ("p50", number(value), "ms"),
            Self::Percentile99 => ("p99", number(value), "ms"),
            Self::Percentile999 => ("p99.9", number(value), "ms"),
            Self::Start => ("", number(value), "ms to consuming"),
            Self::HostMemory => ("", number(value / 1024.0 / 1024.0), "MiB with one"),
            Self::PluginMemory => ("", number(value / 1024.0), "KiB each further one"),
            Self::QueuedLog => ("", number(value), "B each queued log"),
        }
    }
}

/// What was done and counted in a time, and what it took of this process, if that can be told.
pub(super) fn work(logs: u64, elapsed: Duration, spent: Option<Duration>) -> Sample {
    let mut sample = vec![(Quantity::LogsPerSecond, float(logs) / elapsed.as_secs_f64())];
    sample.extend(spent.map(|spent| (Quantity::CpuPerLog, spent.as_secs_f64() * 1e6 / float(logs))));
    sample
}

/// A number that is counted, to be calculated with.
#[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// The value in the middle; zero of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => 0.0,
        Some(value) if sorted.len() % 2 == 1 => *value,
        Some(value) => f64::midpoint(sorted[middle - 1], *value),
    }
}

/// The value that so many thousandths of the `sorted` ones do not exceed; zero of none.
pub(super) fn per_mille(sorted: &[f64], thousandths: usize) -> f64 {
    let rank = (sorted.len() * thousandths).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// A number with about three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounded, and no less than 100"
        )]
        size @ 100.0.. => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", grouped(size.round() as u64))
        }
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = match digits.len() % 3 {
        0 => 3,
        some => some,
    };
    let (head, rest) = digits.split_at(first.min(digits.len()));
    let rest = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    iter::once(head.to_owned()).chain(rest).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=2000).map(f64::from).collect();
        let of = |thousandths| per_mille(&values, thousandths);
        assert_eq!(
            [of(500), of(990), of(999), of(1000)].map(|value| value.to_string()),
            ["1000", "1980", "1998", "2000"]
        );
        assert_eq!(per_mille(&[7.0], 1).to_string(), "7");
    }

    #[test]
    fn the_spread_is_that_of_the_run_furthest_off() {
        let figure = Figure { quantity: Quantity::Start, runs: vec![90.0, 100.0, 130.0] };
        assert!(figure.spread().is_some_and(|spread| (spread - 0.3).abs() < 1e-9));
        assert_eq!(Figure { quantity: Quantity::Start, runs: vec![90.0] }.spread(), None);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [411_999.7, 1000.0, 99.96, 12.34, 2.104, 0.0, -250.0].map(number);
        assert_eq!(shown, ["412,000", "1,000", "100.0", "12.3", "2.10", "0.00", "-250"]);
        assert_eq!([7, 100, 1234, 1_234_567].map(grouped), ["7", "100", "1,234", "1,234,567"]);
    }
}
