//! What a consumer measures itself, for monitoring: bounded, and by names that monitoring systems take.
//!
//! Source of the rules for names: <https://prometheus.io/docs/concepts/data_model/>; of the ends that a name must not have:
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>, "Suffixes".

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How many measurements of a consumer are kept.
pub const MOST_MEASURES: usize = 500;

/// The bytes of a name.
const MOST_NAME: usize = 100;

/// The labels of a measurement, and the bytes of a label's name and of its value.
const MOST_LABELS: usize = 10;
const MOST_LABEL_NAME: usize = 64;
const MOST_LABEL_VALUE: usize = 256;

/// Ends of names that mean something else to monitoring systems than a counter or a gauge.
const RESERVED_ENDS: [&str; 6] = ["_total", "_created", "_bucket", "_count", "_sum", "_info"];

/// Names of labels that have a meaning of their own.
const RESERVED_LABELS: [&str; 3] = ["consumer", "le", "quantile"];

/// How a value changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureKind {
    /// It only grows.
    Counter,
    /// It may do anything.
    Gauge,
}

impl MeasureKind {
    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// A value that a consumer has measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// What is measured; of a counter without `_total`.
    pub name: String,
    /// Of what: name and value.
    pub labels: Vec<(String, String)>,
    /// How it changes.
    pub kind: MeasureKind,
    /// The value.
    pub value: f64,
}

/// Why a measurement is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InvalidMeasurement {
    /// There are too many before it.
    TooMany,
    /// Its name, or that of a label, is none.
    Name,
    /// A label's value is too long.
    LabelValue,
    /// Its value is none that can be shown.
    Value,
    /// Another one of its name and labels is before it; a label without a value is none.
    Repeated,
    /// Others of its name change in another way.
    Kind,
}

impl InvalidMeasurement {
    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::Name => "name",
            Self::LabelValue => "label_value",
            Self::Value => "value",
            Self::Repeated => "repeated",
            Self::Kind => "kind",
        }
    }
}

/// What a consumer has measured: all values are of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures {
    families: BTreeMap<String, MeasureFamily>,
    dropped: BTreeMap<InvalidMeasurement, usize>,
}

/// The measurements of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureFamily {
    /// How all of them change.
    pub kind: MeasureKind,
    /// The value for each set of labels, which are in the order of their names.
    pub values: BTreeMap<Vec<(String, String)>, f64>,
}

impl Measures {
    /// Those of an answer that can be kept, and how many cannot.
    pub fn of(answer: impl IntoIterator<Item = Measurement>) -> Self {
        let (mut measures, mut families) = (Self::default(), 0);
        for measurement in answer {
            match measures.keep(measurement, families) {
                Ok(()) => families += 1,
                Err(unfit) => *measures.dropped.entry(unfit).or_default() += 1,
            }
        }
        measures
    }

    /// Those of each name, in the order of names.
    pub fn by_name(&self) -> impl Iterator<Item = (&str, &MeasureFamily)> {
        self.families.iter().map(|(name, family)| (name.as_str(), family))
    }

    /// How many were not kept, for each reason.
    pub fn dropped(&self) -> impl Iterator<Item = (InvalidMeasurement, usize)> {
        self.dropped.iter().map(|(unfit, count)| (*unfit, *count))
    }

    fn keep(&mut self, measurement: Measurement, families: usize) -> Result<(), InvalidMeasurement> {
        if families >= MOST_MEASURES {
            return Err(InvalidMeasurement::TooMany);
        }
        let Measurement { name, mut labels, kind, value } = measurement;
        let name = match kind {
            MeasureKind::Counter => name.strip_suffix("_total").unwrap_or(&name),
            MeasureKind::Gauge => &name,
        };
        if !is_name(name, MOST_NAME) || RESERVED_ENDS.iter().any(|end| name.ends_with(end)) {
            return Err(InvalidMeasurement::Name);
        }
        if !value.is_finite() || (kind == MeasureKind::Counter && value < 0.0) {
            return Err(InvalidMeasurement::Value);
        }
        labels.sort_unstable();
        let is_twice = labels.windows(2).any(|two| two[0].0 == two[1].0);
        if labels.len() > MOST_LABELS || is_twice || !labels.iter().all(|(name, _)| is_label(name)) {
            return Err(InvalidMeasurement::Name);
        }
        if labels.iter().any(|(_, value)| value.len() > MOST_LABEL_VALUE) {
            return Err(InvalidMeasurement::LabelValue);
        }
        // To monitoring systems they are as those that are not there.
        labels.retain(|(_, value)| !value.is_empty());
        let new = || MeasureFamily { kind, values: BTreeMap::new() };
        let family = self.families.entry(name.to_owned()).or_insert_with(new);
        if family.kind != kind {
            return Err(InvalidMeasurement::Kind);
        }
        match family.values.entry(labels) {
            Entry::Vacant(vacant) => vacant.insert(value),
            Entry::Occupied(_) => return Err(InvalidMeasurement::Repeated),
        };
        Ok(())
    }
}

fn is_label(name: &str) -> bool {
    is_name(name, MOST_LABEL_NAME) && !name.starts_with("__") && !RESERVED_LABELS.contains(&name)
}

fn is_name(name: &str, most: usize) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= most
        && name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(name: &str, labels: &[(&str, &str)], kind: MeasureKind, value: f64) -> Measurement {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Measurement { name: name.to_owned(), labels, kind, value }
    }

    /// What is kept of these: `name{label=value} value`; and how many are not, for each reason.
    fn families(
        answer: impl IntoIterator<Item = Measurement>,
    ) -> (Vec<String>, Vec<(InvalidMeasurement, usize)>) {
        let measures = Measures::of(answer);
        let mut families = Vec::new();
        for (name, MeasureFamily { kind, values }) in measures.by_name() {
            for (labels, value) in values {
                let labels: Vec<String> =
                    labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                families.push(format!("{} {name}{{{}}} {value}", kind.as_str(), labels.join(",")));
            }
        }
        (families, measures.dropped().collect())
    }

    #[track_caller]
    fn refuses(unfit: InvalidMeasurement, measurement: Measurement) {
        let said = format!("{measurement:?}");
        assert_eq!(families([measurement]), (Vec::new(), vec![(unfit, 1)]), "{said}");
    }

    #[test]
    fn what_keeps_the_rules_is_kept() {
        use MeasureKind::{Counter, Gauge};
        let answer = [
            measurement("lines_total", &[("b", "\n\""), ("a", "")], Counter, 2.0),
            measurement("lines", &[], Counter, 1.5),
            measurement("_9", &[], Gauge, -0.25),
        ];
        let expected = ["gauge _9{} -0.25", "counter lines{} 1.5", "counter lines{b=\n\"} 2"];
        assert_eq!(families(answer), (expected.map(str::to_owned).to_vec(), Vec::new()));
    }

    #[test]
    fn what_breaks_the_rules_is_not() {
        use MeasureKind::{Counter, Gauge};
        let too_long = "a".repeat(101);
        for name in ["", "9", "a-b", "a:b", "ü", "a b", "x_bucket", "x_total", &too_long] {
            refuses(InvalidMeasurement::Name, measurement(name, &[], Gauge, 1.0));
        }
        refuses(InvalidMeasurement::Name, measurement("_total", &[], Counter, 1.0));
        refuses(InvalidMeasurement::Name, measurement("x_total_total", &[], Counter, 1.0));
        for label in ["", "9", "a-b", "__a", "consumer", "le", "quantile", &"a".repeat(65)] {
            refuses(InvalidMeasurement::Name, measurement("x", &[(label, "")], Gauge, 1.0));
        }
        refuses(InvalidMeasurement::Name, measurement("x", &[("a", "1"), ("a", "2")], Gauge, 1.0));
        let many: Vec<String> = (0..11).map(|n| format!("a{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
        refuses(InvalidMeasurement::Name, measurement("x", &many, Gauge, 1.0));
        refuses(InvalidMeasurement::LabelValue, measurement("x", &[("a", &"v".repeat(257))], Gauge, 1.0));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            refuses(InvalidMeasurement::Value, measurement("x", &[], Gauge, value));
        }
        refuses(InvalidMeasurement::Value, measurement("x", &[], Counter, -1.0));
    }

    #[test]
    fn the_first_of_its_name_decides() {
        use MeasureKind::{Counter, Gauge};
        let answer = [
            measurement("x", &[("a", "1"), ("b", "2")], Gauge, 1.0),
            measurement("x", &[("b", "2"), ("a", "1")], Gauge, 2.0),
            measurement("x", &[("a", "1"), ("b", "2"), ("c", "")], Gauge, 3.0),
            measurement("x", &[], Counter, 3.0),
        ];
        let dropped = vec![(InvalidMeasurement::Repeated, 2), (InvalidMeasurement::Kind, 1)];
        assert_eq!(families(answer), (vec!["gauge x{a=1,b=2} 1".to_owned()], dropped));
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let answer = (0..MOST_MEASURES + 7)
            .map(|n| measurement("x", &[("n", &n.to_string())], MeasureKind::Gauge, 0.0));
        let (families, dropped) = families(answer);
        assert_eq!((families.len(), dropped), (MOST_MEASURES, vec![(InvalidMeasurement::TooMany, 7)]));
    }
}
