//! The figures that plugins have of their own.

use std::collections::BTreeMap;

use loghost_core::domain::{ConsumerName, InvalidMeasurement, MeasureFamily, MeasureKind, Measures};

use super::{Family, Kind, Point, Since, Value};
use crate::consumer::Consumer;

/// What comes before the name that a plugin gives: no name of ours begins so.
const PREFIX: &str = "loghost_plugin_";

/// All of them, and what is left out.
pub(super) fn families(consumers: &[(ConsumerName, Consumer)]) -> Vec<Family<'_>> {
    let measuring = || consumers.iter().filter_map(|(name, it)| Some((name, it.measures.as_ref()?, it)));
    let mut dropped: BTreeMap<(&ConsumerName, InvalidMeasurement), usize> = BTreeMap::new();
    let mut by_name: BTreeMap<&str, Family<'_>> = BTreeMap::new();
    for (consumer, measures, _) in measuring() {
        if let Ok(measures) = measures {
            take(&mut by_name, &mut dropped, consumer, measures);
        }
    }
    let dropped = dropped.into_iter().map(|((consumer, unfit), count)| {
        let labels = [("consumer", consumer.as_str()), ("reason", unfit.as_str())];
        Point::whole(labels, u64::try_from(count).unwrap_or(u64::MAX))
    });
    let about =
        ("loghost_measures_dropped", "Of what the plugin has measured last, what is not shown, and why.");
    let dropped = Family::new(Kind::Gauge, about, dropped);
    let about = ("loghost_measure_failures", "Calls of measure that the plugin failed at.");
    let failures =
        measuring().map(|(name, _, it)| Point::whole([("consumer", name.as_str())], it.measure_failures));
    let failures = Family::new(Kind::Counter, about, failures);
    by_name.into_values().chain([dropped, failures]).collect()
}

/// Takes in what a consumer has measured. All consumers' values of a name are of one kind: that of the first.
fn take<'a>(
    by_name: &mut BTreeMap<&'a str, Family<'a>>,
    dropped: &mut BTreeMap<(&'a ConsumerName, InvalidMeasurement), usize>,
    consumer: &'a ConsumerName,
    measures: &'a Measures,
) {
    for (unfit, count) in measures.dropped() {
        *dropped.entry((consumer, unfit)).or_default() += count;
    }
    for (name, MeasureFamily { kind, values }) in measures.by_name() {
        let kind = match kind {
            MeasureKind::Counter => Kind::Counter,
            MeasureKind::Gauge => Kind::Gauge,
        };
        let family = by_name.entry(name).or_insert_with(|| {
            let name = format!("{PREFIX}{name}").into();
            Family { name, help: "Measured by plugins.", unit: None, kind, points: Vec::new() }
        });
        if family.kind == kind {
            family.points.extend(values.iter().map(|(labels, value)| point(consumer, labels, *value)));
        } else {
            *dropped.entry((consumer, InvalidMeasurement::Kind)).or_default() += values.len();
        }
    }
}

fn point<'a>(consumer: &'a ConsumerName, labels: &'a [(String, String)], value: f64) -> Point<'a> {
    let own = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let labels = [("consumer", consumer.as_str())].into_iter().chain(own).collect();
    // Nobody knows whether the plugin goes on where it was.
    Point { labels, value: Value::Real(value), since: Since::Before }
}
