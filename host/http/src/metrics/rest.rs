//! The metrics of connections, of the process and of the build.

use std::fmt;

use loghost_board::Connection;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::Families;
use crate::process::Figures;

/// A metric with its name and its help, and its value of a connection.
type Single = ((&'static str, &'static str), fn(&Connection) -> u64);

const GAUGES: [Single; 2] = [
    (("loghost_connection_up", "Whether there is a connection to the broker."), |it| u64::from(it.is_up)),
    (("loghost_connection_blocked", "Whether the broker takes nothing that is published."), |it| {
        u64::from(it.blocked.is_some())
    }),
];

const COUNTERS: [Single; 2] = [
    (("loghost_reconnects", "How often the connection was made again."), |it| it.reconnects),
    (("loghost_connection_failures", "Attempts to connect that failed."), |it| it.failures),
];

/// Writes those of the connections, each by its purpose.
pub(super) fn write_connections(
    families: &mut Families<'_, '_>,
    connections: &[(String, Connection)],
) -> fmt::Result {
    for (about, value) in GAUGES {
        families.write(about, None, MetricType::Gauge, |metrics| {
            connections.iter().try_for_each(|(purpose, it)| {
                metrics.encode_family(&[("purpose", purpose.as_str())])?.encode_gauge(&value(it))
            })
        })?;
    }
    for (about, value) in COUNTERS {
        families.write(about, None, MetricType::Counter, |metrics| {
            connections.iter().try_for_each(|(purpose, it)| {
                let labels = [("purpose", purpose.as_str())];
                metrics.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value(it), None)
            })
        })?;
    }
    let about = ("loghost_logs_published", "Logs that plugins publish; one that is refused is sent again.");
    families.write(about, None, MetricType::Counter, |metrics| {
        connections.iter().try_for_each(|(purpose, it)| {
            let outcomes = [("confirmed", it.confirmed), ("refused", it.refused), ("given_up", it.given_up)];
            outcomes.into_iter().try_for_each(|(outcome, count)| {
                let labels = [("purpose", purpose.as_str()), ("outcome", outcome)];
                metrics.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
            })
        })
    })
}

/// Writes those of the process that are known, by the names that all programs have for them, and what was built.
pub(super) fn write_process(
    families: &mut Families<'_, '_>,
    version: &'static str,
    process: &Figures,
) -> fmt::Result {
    let about = ("loghost_build", "The version of loghost.");
    families.write(about, None, MetricType::Info, |metrics| metrics.encode_info(&[("version", version)]))?;
    if let Some(seconds) = process.cpu_seconds {
        let about = ("process_cpu", "Time of all processors that the process has used.");
        families.write(about, Some(&Unit::Seconds), MetricType::Counter, |metrics| {
            metrics.encode_counter::<NoLabelSet, _, f64>(&seconds, None)
        })?;
    }
    if let Some(bytes) = process.resident_bytes {
        let about = ("process_resident_memory", "Resident memory of the process.");
        families
            .write(about, Some(&Unit::Bytes), MetricType::Gauge, |metrics| metrics.encode_gauge(&bytes))?;
    }
    if let Some(files) = process.open_files {
        let about = ("process_open_fds", "Open files and sockets of the process.");
        families.write(about, None, MetricType::Gauge, |metrics| metrics.encode_gauge(&files))?;
    }
    let about = ("process_start_time", "When the process began, since the Unix epoch.");
    families.write(about, Some(&Unit::Seconds), MetricType::Gauge, |metrics| {
        metrics.encode_gauge(&process.start_seconds)
    })
}
