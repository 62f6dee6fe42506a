//! How often a value was in which range.

/// How often a value was in which range: the bounds of which are fixed; the last range has none.
#[derive(Clone, Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
}

/// For times, in seconds: from that of a call that does little to the longest that plugins are given by default.
pub(crate) const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// For the logs of a batch.
pub(crate) const LOGS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

impl Histogram {
    /// Without values, of ranges up to these bounds, which ascend.
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Counts a value.
    pub(crate) fn add(&mut self, value: f64) {
        let range = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(range) {
            *count += 1;
        }
        self.sum += value;
    }

    /// The sum of all values.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many values were in each range, with its upper bound, which belongs to it.
    pub fn ranges(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_range_that_reaches_it() {
        let mut histogram = Histogram::new(LOGS);
        for value in [1.0, 2.0, 4.0, 4.5, 5000.0] {
            histogram.add(value);
        }
        let ranges = histogram.ranges();
        assert_eq!(ranges[..3], [(1.0, 1), (4.0, 2), (16.0, 1)]);
        assert_eq!(ranges.last(), Some(&(f64::INFINITY, 1)));
        assert_eq!((histogram.count(), histogram.sum()), (5, 5011.5));
    }
}
