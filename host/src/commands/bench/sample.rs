//! What a run comes to, and all runs of a case.

use std::time::Duration;

use super::baseline::Baseline;
use crate::ui::bench::{Case, Figure, Quantity};

/// What was measured in a run.
pub(super) type BenchSample = Vec<(Quantity, f64)>;

/// The figures of what was measured in some runs of the same case.
pub(super) fn figures(case: &Case, samples: &[BenchSample], baseline: Option<&Baseline>) -> Vec<Figure> {
    let quantities = samples.first().into_iter().flatten().map(|(quantity, _)| *quantity);
    quantities
        .map(|quantity| {
            let values = samples.iter().flatten().filter(|(other, _)| *other == quantity);
            let before = baseline.and_then(|baseline| baseline.figure(&case.name(), quantity.key()));
            let runs: Vec<f64> = values.map(|(_, value)| *value).collect();
            let (median, spread, bound) = (median(&runs), spread(&runs), case.bound(quantity));
            Figure { quantity, runs, median, spread, before, bound }
        })
        .collect()
}

/// What was done and counted in a time, and what it took of this process, if that can be told.
pub(super) fn work(logs: u64, elapsed: Duration, spent: Option<Duration>) -> BenchSample {
    let mut sample = vec![(Quantity::LogsPerSecond, float(logs) / elapsed.as_secs_f64())];
    sample.extend(spent.map(|spent| (Quantity::CpuPerLog, spent.as_secs_f64() * 1e6 / float(logs))));
    sample
}

/// A number that is counted, to be calculated with.
#[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// How far the one that is furthest off is from the median, as a part of it; none of a single one.
fn spread(values: &[f64]) -> Option<f64> {
    let median = median(values);
    let furthest = values.iter().map(|value| (value - median).abs()).fold(0.0, f64::max);
    (values.len() > 1 && median > 0.0).then(|| furthest / median)
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
    fn the_spread_is_that_of_the_run_furthest_off() {
        assert!(spread(&[90.0, 100.0, 130.0]).is_some_and(|spread| (spread - 0.3).abs() < 1e-9));
        assert_eq!(spread(&[90.0]), None);
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
}
