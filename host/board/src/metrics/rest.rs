//! The metrics of connections, of what is exported, of the process and of the build.

use super::{Family, Kind, Point, Unit, Value};
use crate::connection::Connection;
use crate::exports::ExportFigures as Exports;
use crate::process::Process;

/// A metric with its name and its help, and its value of a connection.
type ConnectionMetric = ((&'static str, &'static str), fn(&Connection) -> u64);

const GAUGES: [ConnectionMetric; 2] = [
    (("loghost_connection_up", "Whether there is a connection to the broker."), |it| u64::from(it.is_up)),
    (("loghost_connection_blocked", "Whether the broker takes nothing that is published."), |it| {
        u64::from(it.blocked.is_some())
    }),
];

const COUNTERS: [ConnectionMetric; 2] = [
    (("loghost_reconnects", "How often the connection was made again."), |it| it.reconnects),
    (("loghost_connection_failures", "Attempts to connect that failed."), |it| it.failures),
];

/// Those of the connections, each by its purpose.
pub(super) fn of_connections(connections: &[(String, Connection)]) -> Vec<Family<'_>> {
    let of_each = |value: fn(&Connection) -> u64| {
        connections.iter().map(move |(purpose, it)| Point::whole([("purpose", purpose.as_str())], value(it)))
    };
    let mut families =
        Vec::from(GAUGES.map(|(about, value)| Family::new(Kind::Gauge, about, of_each(value))));
    families.extend(COUNTERS.map(|(about, value)| Family::new(Kind::Counter, about, of_each(value))));
    let published = connections.iter().flat_map(|(purpose, it)| {
        let outcomes = [("confirmed", it.confirmed), ("refused", it.refused), ("given_up", it.given_up)];
        outcomes.map(|(outcome, count)| {
            Point::whole([("purpose", purpose.as_str()), ("outcome", outcome)], count)
        })
    });
    let about = ("loghost_logs_published", "Logs that plugins publish; one that is refused is sent again.");
    families.push(Family::new(Kind::Counter, about, published));
    families
}

/// Those of what is sent to a collector.
pub(super) fn of_exports(exports: &Exports) -> [Family<'_>; 2] {
    let spans = [("exported", exports.spans_exported), ("dropped", exports.spans_dropped)];
    let spans = spans.map(|(outcome, count)| Point::whole([("outcome", outcome)], count));
    let failed = [("metrics", exports.metrics_failed), ("traces", exports.traces_failed)];
    let failed = failed.map(|(signal, count)| Point::whole([("signal", signal)], count));
    let about = ("loghost_spans", "Spans of traces that the collector has taken, or that were dropped.");
    let spans = Family::new(Kind::Counter, about, spans);
    let about = ("loghost_export_failures", "Attempts to send something to the collector that failed.");
    [spans, Family::new(Kind::Counter, about, failed)]
}

/// Those of the process that are known, by the names that all programs have for them, and what was built.
pub(super) fn of_process<'a>(version: &'a str, process: &Process) -> Vec<Family<'a>> {
    let single = |kind, about, value| Family::new(kind, about, [Point::new([], value)]);
    let build = Point::new([("version", version)], Value::Info);
    let mut families = vec![Family::new(Kind::Info, ("loghost_build", "The version of loghost."), [build])];
    if let Some(seconds) = process.cpu_seconds {
        let about = ("process_cpu", "Time of all processors that the process has used.");
        families.push(single(Kind::Counter, about, Value::Real(seconds)).unit(Unit::Seconds));
    }
    if let Some(bytes) = process.resident_bytes {
        let about = ("process_resident_memory", "Resident memory of the process.");
        families.push(single(Kind::Gauge, about, Value::Whole(bytes)).unit(Unit::Bytes));
    }
    if let Some(files) = process.open_files {
        let about = ("process_open_fds", "Open files and sockets of the process.");
        families.push(single(Kind::Gauge, about, Value::Whole(files)));
    }
    let about = ("process_start_time", "When the process began, since the Unix epoch.");
    families.push(single(Kind::Gauge, about, Value::Real(process.start_seconds)).unit(Unit::Seconds));
    families
}
