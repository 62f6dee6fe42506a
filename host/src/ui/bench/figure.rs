//! What was measured: quantities, what their values in all runs come to, and how they are written.

use std::iter;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    LogsPerSecond,
    /// Of this process, in microseconds.
    CpuPerLog,
    /// What part of the logs a second there is when it is watched.
    ObservedShare,
    /// What a host takes more when it is watched, in bytes.
    ObserversMemory,
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
pub(crate) enum Better {
    More,
    Less,
}

/// What was measured of a quantity in all runs.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) quantity: Quantity,
    /// In their order; not empty.
    pub(crate) runs: Vec<f64>,
    pub(crate) median: f64,
    /// How far the run that is furthest off is from the median, as a part of it; none of a single run.
    pub(crate) spread: Option<f64>,
    /// What it was in the run that this one is compared with, if it was measured there.
    pub(crate) before: Option<f64>,
    /// What it has to come to at least, or at most where less is better; none where nothing is promised.
    pub(crate) bound: Option<f64>,
}

impl Figure {
    /// Whether it is within what is promised, if something is.
    pub(crate) fn is_within(&self) -> Option<bool> {
        let bound = self.bound?;
        Some(match self.quantity.better() {
            Better::More => self.median >= bound,
            Better::Less => self.median <= bound,
        })
    }

    /// Its ratio to the baseline.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.before.filter(|before| *before > 0.0).map(|before| self.median / before)
    }
}

impl Quantity {
    /// Its name for machines, with its unit.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::LogsPerSecond => "logs_per_second",
            Self::CpuPerLog => "cpu_us_per_log",
            Self::ObservedShare => "observed_ratio",
            Self::ObserversMemory => "observers_resident_bytes",
            Self::Median => "p50_ms",
            Self::Percentile99 => "p99_ms",
            Self::Percentile999 => "p99_9_ms",
            Self::Start => "start_ms",
            Self::HostMemory => "host_resident_bytes",
            Self::PluginMemory => "resident_bytes_per_further_plugin",
            Self::QueuedLog => "resident_bytes_per_queued_log",
        }
    }

    pub(crate) fn better(self) -> Better {
        match self {
            Self::LogsPerSecond | Self::ObservedShare => Better::More,
            _ => Better::Less,
        }
    }

    /// A value of it for people: the number, and the words before and behind it.
    pub(crate) fn show(self, value: f64) -> (&'static str, String, &'static str) {
        match self {
            Self::LogsPerSecond => ("", number(value), "logs/s"),
            Self::CpuPerLog => ("", number(value), "µs CPU"),
            Self::ObservedShare => ("", number(value * 100.0), "% of that when watched"),
            Self::ObserversMemory => ("", number(value / 1024.0 / 1024.0), "MiB more when watched"),
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
pub(crate) fn grouped(number: u64) -> String {
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
    fn numbers_are_short() {
        let shown = [411_999.7, 1000.0, 99.96, 12.34, 2.104, 0.0, -250.0].map(number);
        assert_eq!(shown, ["412,000", "1,000", "100.0", "12.3", "2.10", "0.00", "-250"]);
        assert_eq!([7, 100, 1234, 1_234_567].map(grouped), ["7", "100", "1,234", "1,234,567"]);
    }
}
