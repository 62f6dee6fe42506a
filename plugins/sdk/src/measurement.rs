//! What a consumer measures itself.

use crate::Measurement;
use crate::bindings::measuring::exports::loghost::plugin::measures::Kind;

impl Measurement {
    /// A number of things that have happened, which only grows. The host adds `_total` to its name.
    pub fn counter(name: impl Into<String>, value: u64) -> Self {
        let half = |bits: u64| f64::from(u32::try_from(bits).unwrap_or(u32::MAX));
        // There are no whole numbers in monitoring: beyond 2^53 it is the nearest.
        let value = half(value >> 32) * 2_f64.powi(32) + half(value & u64::from(u32::MAX));
        Self { name: name.into(), labels: Vec::new(), kind: Kind::Counter, value }
    }

    /// Any number, as it is at the moment.
    pub fn gauge(name: impl Into<String>, value: impl Into<f64>) -> Self {
        Self { name: name.into(), labels: Vec::new(), kind: Kind::Gauge, value: value.into() }
    }

    /// Says of what it is. Names of labels are unique.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_has_a_kind_and_labels() {
        let failures = Measurement::counter("failures", (7 << 32) + 3).label("source", "db-1");
        let expected = Measurement {
            name: "failures".to_owned(),
            labels: vec![("source".to_owned(), "db-1".to_owned())],
            kind: Kind::Counter,
            value: 30_064_771_075.0,
        };
        assert_eq!(failures, expected);
        let load = Measurement::gauge("load", 0.5_f32);
        assert_eq!(
            load,
            Measurement { name: "load".to_owned(), labels: Vec::new(), kind: Kind::Gauge, value: 0.5 }
        );
    }
}
