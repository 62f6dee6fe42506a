//! Figures as Prometheus reads them: `OpenMetrics`, or the older text format where that is not asked for.

mod older;

use std::fmt;

use loghost_board::metrics::{Figures, Kind, Unit, Value};
use loghost_board::{Board, Depths};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{self, Registry};

/// A format that Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// The text format 0.0.4, which more programs read.
    Older,
}

impl Format {
    /// The one to answer with to this header `Accept`.
    pub(crate) fn accepted(header: Option<&str>) -> Self {
        if header.is_some_and(|header| header.contains("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Older
        }
    }

    /// Its header `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Older => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All figures, as they are at the moment.
#[derive(Debug)]
struct Encoded(Figures);

/// All figures of consumers and connections, in `OpenMetrics`; none is left out but what only the broker knows.
pub fn open_metrics(board: &Board) -> Option<String> {
    written(Figures::of(board, Depths::default(), ""), Format::OpenMetrics).ok()
}

/// These figures.
pub(crate) fn written(figures: Figures, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Encoded(figures)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(match format {
        Format::OpenMetrics => text,
        Format::Older => older::from_open_metrics(&text),
    })
}

impl Collector for Encoded {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.families() {
            let unit = family.unit.map(unit);
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let mut metric = encoder.encode_descriptor(&family.name, family.help, unit.as_ref(), kind)?;
            for point in &family.points {
                let labels = point.labels.as_slice();
                match point.value {
                    Value::Info => metric.encode_info(&labels)?,
                    value if labels.is_empty() => write(&mut metric, family.kind, value)?,
                    value => write(&mut metric.encode_family(&labels)?, family.kind, value)?,
                }
            }
        }
        Ok(())
    }
}

/// The name is without it.
fn unit(unit: Unit) -> registry::Unit {
    match unit {
        Unit::Seconds => registry::Unit::Seconds,
        Unit::Bytes => registry::Unit::Bytes,
    }
}

fn write(metric: &mut MetricEncoder<'_>, kind: Kind, value: Value<'_>) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(count)) => metric.encode_counter::<NoLabelSet, _, u64>(&count, None),
        (Kind::Counter, Value::Real(sum)) => metric.encode_counter::<NoLabelSet, _, f64>(&sum, None),
        (_, Value::Whole(value)) => metric.encode_gauge(&value),
        (_, Value::Real(value)) => metric.encode_gauge(&value),
        (_, Value::Histogram(it)) => {
            metric.encode_histogram::<NoLabelSet>(it.sum(), it.count(), &it.ranges(), None)
        }
        (_, Value::Info) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loghost_core::application::{ConnectionEvent, ConsumerError, ConsumerEvent, Event, Observer};
    use loghost_core::domain::{ConsumerName, Counts, MeasureKind, Measurement, Measures, Tally};

    use super::*;

    /// A board that was told of a consumer and a connection.
    fn board() -> Board {
        let board = Board::default();
        let name = ConsumerName::new("error").expect("a name");
        let mut counts = Counts::default();
        counts.accepted[loghost_core::domain::Severity::Error] = 7;
        let mut logs = Tally::default();
        logs[loghost_core::domain::Severity::Error] = 8;
        let took = std::time::Duration::from_millis(3);
        for event in [
            ConsumerEvent::Received { deliveries: 9, logs },
            ConsumerEvent::Processed { logs: 8, took },
            ConsumerEvent::Committed { counts: &counts, deliveries: 9, took },
        ] {
            board.observe(&Event::Consumer(&name, event));
        }
        let address = "amqp://a\"b\\c\nd";
        let connected = ConnectionEvent::Connected { address, failed_attempts: 0 };
        board.observe(&Event::Connection("hostile \"\\\n purpose", connected));
        board
    }

    fn figures(board: &Board) -> Figures {
        Figures::of(board, Depths::default(), "1")
    }

    #[track_caller]
    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }

    #[test]
    fn both_formats_have_the_figures() {
        for format in [Format::OpenMetrics, Format::Older] {
            let text = written(figures(&board()), format).expect("a text");
            has(&text, r#"loghost_logs_received_total{consumer="error",severity="error"} 8"#);
            has(
                &text,
                r#"loghost_logs_finished_total{consumer="error",severity="error",outcome="accepted"} 7"#,
            );
            has(&text, r#"loghost_process_duration_seconds_bucket{le="0.005",consumer="error"} 1"#);
            has(&text, r#"loghost_build_info{version="1"} 1"#);
            // Nothing in a value ends the value or the line.
            has(&text, r#"loghost_connection_up{purpose="hostile \"\\\n purpose"} 1"#);
        }
    }

    #[test]
    fn each_format_declares_counters_as_it_must() {
        let open = written(figures(&board()), Format::OpenMetrics).expect("a text");
        has(&open, "# TYPE loghost_logs_received counter");
        has(&open, "# UNIT loghost_process_duration_seconds seconds");
        assert!(open.ends_with("# EOF\n"), "{open}");
        let older = written(figures(&board()), Format::Older).expect("a text");
        has(&older, "# TYPE loghost_logs_received_total counter");
        has(&older, "# TYPE loghost_build_info gauge");
        assert!(!older.contains("# EOF") && !older.contains("# UNIT"), "{older}");
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        assert_eq!(Format::accepted(Some(prometheus)), Format::OpenMetrics);
        assert_eq!(Format::accepted(Some("*/*")), Format::Older);
        assert_eq!(Format::accepted(None), Format::Older);
    }

    /// The lines of the metrics that are about plugins' measures, when these consumers have measured this.
    fn lines(measured: &[(&str, Result<Vec<Measurement>, ConsumerError>)]) -> Vec<String> {
        let board = Board::default();
        for (name, measured) in measured {
            let name = ConsumerName::new(*name).expect("a name");
            let measured = measured.clone().map(|measured| Arc::new(Measures::of(measured)));
            board.observe(&Event::Consumer(&name, ConsumerEvent::Measured(measured.as_ref())));
        }
        let text = written(figures(&board), Format::OpenMetrics).expect("a text");
        let is_about = |line: &&str| line.contains("loghost_plugin_") || line.starts_with("loghost_measure");
        text.lines().filter(|line| is_about(line) && !line.starts_with("# HELP")).map(str::to_owned).collect()
    }

    fn measurement(name: &str, kind: MeasureKind, label: &str, value: f64) -> Measurement {
        Measurement { name: name.to_owned(), labels: vec![("at".to_owned(), label.to_owned())], kind, value }
    }

    #[test]
    fn plugins_share_a_name_but_not_its_kind() {
        let a = vec![
            measurement("seen", MeasureKind::Counter, "x\"}\n", 2.0),
            measurement("open", MeasureKind::Gauge, "y", -1.5),
        ];
        let b = vec![measurement("seen", MeasureKind::Counter, "x", 3.0)];
        let c = vec![
            measurement("seen", MeasureKind::Gauge, "x", 4.0),
            measurement("-", MeasureKind::Gauge, "", 0.0),
        ];
        let failed = ConsumerError { call: "measure", reason: String::new(), backtrace: None };
        let expected = [
            "# TYPE loghost_plugin_open gauge",
            r#"loghost_plugin_open{consumer="a",at="y"} -1.5"#,
            "# TYPE loghost_plugin_seen counter",
            r#"loghost_plugin_seen_total{consumer="a",at="x\"}\n"} 2.0"#,
            r#"loghost_plugin_seen_total{consumer="b",at="x"} 3.0"#,
            r#"loghost_measures_dropped{consumer="c",reason="name"} 1"#,
            r#"loghost_measures_dropped{consumer="c",reason="kind"} 1"#,
            r#"loghost_measure_failures_total{consumer="a"} 0"#,
            r#"loghost_measure_failures_total{consumer="b"} 0"#,
            r#"loghost_measure_failures_total{consumer="c"} 0"#,
            r#"loghost_measure_failures_total{consumer="d"} 1"#,
        ];
        assert_eq!(lines(&[("a", Ok(a)), ("b", Ok(b)), ("c", Ok(c)), ("d", Err(failed))]), expected);
    }
}
