//! Metrics of the board as messages of OTLP.

use loghost_board::Histogram;
use loghost_board::metrics::{Family, Kind, Point, Since, Unit, Value};

use crate::proto::KeyValue;
use crate::proto::metrics::{
    CUMULATIVE, Data, Gauge, Histogram as HistogramData, HistogramDataPoint, Metric, Number, NumberDataPoint,
    Sum,
};

/// When this run began to count, and when that is read: in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeSpan {
    pub(crate) start: u64,
    pub(crate) now: u64,
}

/// The start time where it is not known. With any other, a collector that makes deltas of cumulative values takes all that was
/// counted before for counted since.
///
/// Source: <https://opentelemetry.io/docs/specs/otel/metrics/data-model/>, "Resets and Gaps".
const UNKNOWN: u64 = 0;

impl TimeSpan {
    /// When something began to be counted.
    fn start_of(self, since: Since) -> u64 {
        match since {
            Since::Run => self.start,
            Since::Before => UNKNOWN,
        }
    }
}

/// The same metrics. One whose only values are labels has the value 1, as Prometheus shows it.
pub(crate) fn metrics(families: &[Family<'_>], span: TimeSpan) -> Vec<Metric> {
    families.iter().filter(|family| !family.points.is_empty()).map(|family| metric(family, span)).collect()
}

fn metric(family: &Family<'_>, span: TimeSpan) -> Metric {
    let numbers = || family.points.iter().map(|point| number(point, span)).collect();
    let data = match family.kind {
        Kind::Counter => {
            Data::Sum(Sum { data_points: numbers(), aggregation_temporality: CUMULATIVE, is_monotonic: true })
        }
        Kind::Gauge | Kind::Info => Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Histogram => {
            let points = family.points.iter().filter_map(|point| match point.value {
                Value::Histogram(it) => Some(histogram(point, it, span)),
                _ => None,
            });
            let data_points = points.collect();
            Data::Histogram(HistogramData { data_points, aggregation_temporality: CUMULATIVE })
        }
    };
    // As UCUM writes them. Whoever shows them in Prometheus adds the suffixes again that are left out here.
    let unit = match family.unit {
        Some(Unit::Seconds) => "s",
        Some(Unit::Bytes) => "By",
        None => "",
    };
    // That of a metric of labels is no suffix of a type.
    let name =
        if family.kind == Kind::Info { format!("{}_info", family.name) } else { family.name.to_string() };
    Metric { name, description: family.help.to_owned(), unit: unit.to_owned(), data: Some(data) }
}

fn attributes(point: &Point<'_>) -> Vec<KeyValue> {
    point.labels.iter().map(|(name, value)| KeyValue::text(name, *value)).collect()
}

fn number(point: &Point<'_>, span: TimeSpan) -> NumberDataPoint {
    let value = match point.value {
        Value::Whole(value) => Number::Whole(i64::try_from(value).unwrap_or(i64::MAX)),
        Value::Real(value) => Number::Real(value),
        Value::Info | Value::Histogram(_) => Number::Whole(1),
    };
    NumberDataPoint {
        start_time_unix_nano: span.start_of(point.since),
        time_unix_nano: span.now,
        value: Some(value),
        attributes: attributes(point),
    }
}

fn histogram(point: &Point<'_>, of: &Histogram, TimeSpan { start, now }: TimeSpan) -> HistogramDataPoint {
    let (bounds, bucket_counts): (Vec<f64>, Vec<u64>) = of.ranges().into_iter().unzip();
    HistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: now,
        count: of.count(),
        sum: Some(of.sum()),
        bucket_counts,
        // The last range has none.
        explicit_bounds: bounds.into_iter().filter(|bound| bound.is_finite()).collect(),
        attributes: attributes(point),
    }
}
