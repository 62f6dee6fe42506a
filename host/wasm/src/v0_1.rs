//! Version 0.1 of the contract: the generated bindings, and conversions between them and the domain.

use std::time::Duration;

use loghost_core::application::Level;
use loghost_core::domain as core;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::guest::Guest;

#[allow(unsafe_code, unused_doc_comments, missing_docs, clippy::pedantic, unreachable_pub)] // Generated.
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package loghost:host;

            /// All that a plugin may export.
            world whole {
                include loghost:plugin/stateful@0.1.0;
                include loghost:plugin/measuring@0.1.0;
            }
        ",
        world: "loghost:host/whole",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(super) use bindings::exports::loghost::plugin::{checkpoint, consumer, measures, processor, types};
use bindings::loghost::plugin::log;

/// The package of the contract, and this version of it.
pub(super) const PACKAGE: &str = "loghost:plugin/";
pub(super) const VERSION: &str = "0.1.0";

/// The full name of the interface `name`: `loghost:plugin/consumer@0.1.0`.
pub(super) fn interface(name: &str) -> String {
    format!("{PACKAGE}{name}@{VERSION}")
}

/// What a guest may import: `log`, and nothing else.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    log::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warning,
            log::Level::Error => Level::Error,
        };
        self.write_log(level, message);
    }
}

/// Converts a descriptor; the error names the field that breaks the contract.
pub(super) fn descriptor(raw: types::Descriptor) -> Result<core::Descriptor, String> {
    let severities = severities(raw.severities);
    if severities.is_empty() {
        return Err("`severities` is empty: a consumer wants at least one".to_owned());
    }
    let patterns = raw
        .sources
        .into_iter()
        .map(core::Pattern::new)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| format!("`sources`: {e}"))?;
    if raw.tick == Some(0) {
        return Err("`tick` is 0: expected at least 1 millisecond".to_owned());
    }
    Ok(core::Descriptor {
        name: core::ConsumerName::new(raw.name).map_err(|e| format!("`name`: {e}"))?,
        version: raw.version,
        description: raw.description,
        filter: core::Filter::new(severities, patterns),
        fields: core::Fields {
            id: raw.fields.contains(types::Fields::ID),
            source: raw.fields.contains(types::Fields::SOURCE),
            attributes: raw.fields.contains(types::Fields::ATTRIBUTES),
        },
        publishes: self::severities(raw.publishes),
        tick: raw.tick.map(|millis| Duration::from_millis(millis.into())),
    })
}

fn severities(flags: types::Severities) -> core::Severities {
    core::Severity::ALL
        .into_iter()
        .filter(|severity| {
            flags.contains(match severity {
                core::Severity::Debug => types::Severities::DEBUG,
                core::Severity::Info => types::Severities::INFO,
                core::Severity::Error => types::Severities::ERROR,
                core::Severity::Critical => types::Severities::CRITICAL,
            })
        })
        .collect()
}

fn severity(severity: core::Severity) -> types::Severity {
    match severity {
        core::Severity::Debug => types::Severity::Debug,
        core::Severity::Info => types::Severity::Info,
        core::Severity::Error => types::Severity::Error,
        core::Severity::Critical => types::Severity::Critical,
    }
}

fn tally(tally: core::Tally) -> types::Tally {
    types::Tally {
        debug: tally[core::Severity::Debug],
        info: tally[core::Severity::Info],
        error: tally[core::Severity::Error],
        critical: tally[core::Severity::Critical],
    }
}

/// Converts a metric.
pub(super) fn metric(metric: &core::Metric) -> types::Metric {
    let counts = &metric.counts;
    types::Metric {
        now: metric.now.as_millis(),
        accepted: tally(counts.accepted),
        rejected: tally(counts.rejected),
        skipped: tally(counts.skipped),
        repeated: counts.repeated,
        without_id: counts.without_id,
        first: counts.first.map(core::Timestamp::as_millis),
        last: counts.last.map(core::Timestamp::as_millis),
    }
}

/// Converts what a plugin has measured; what breaks the contract is left out.
pub(super) fn measures(raw: Vec<measures::Measurement>) -> core::Measures {
    core::Measures::of(raw.into_iter().map(|measures::Measurement { name, labels, kind, value }| {
        let kind = match kind {
            measures::Kind::Counter => core::MeasureKind::Counter,
            measures::Kind::Gauge => core::MeasureKind::Gauge,
        };
        core::Measurement { name, labels, kind, value }
    }))
}

/// Converts a batch, with the fields that the plugin asked for, and calls `give` with it.
pub(super) fn with_records<T>(
    batch: &[core::Record],
    fields: core::Fields,
    give: impl FnOnce(&[types::LogRecord<'_>]) -> T,
) -> T {
    let attributes: Vec<Vec<(&str, &str)>> = if fields.attributes {
        batch
            .iter()
            .map(|record| record.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect())
            .collect()
    } else {
        Vec::new()
    };
    let records: Vec<types::LogRecord<'_>> = batch
        .iter()
        .enumerate()
        .map(|(n, record)| types::LogRecord {
            severity: severity(record.severity),
            timestamp: record.timestamp.as_millis(),
            attempt: record.attempt,
            message: &record.message,
            id: record.id.as_deref().filter(|_| fields.id),
            source: Some(record.source.as_str()).filter(|source| fields.source && !source.is_empty()),
            attributes: attributes.get(n).map(Vec::as_slice),
        })
        .collect();
    give(&records)
}

/// Converts the answer to a batch of `length` logs; the error says what breaks the contract.
pub(super) fn processed(
    raw: types::Processed,
    length: usize,
    descriptor: &core::Descriptor,
) -> Result<core::Processed, String> {
    let mut seen = vec![false; length];
    let mut verdicts = Vec::with_capacity(raw.verdicts.len());
    for types::Verdict { index, outcome } in raw.verdicts {
        let position = usize::try_from(index).ok().filter(|position| *position < length);
        let Some(position) = position else {
            return Err(format!("returned a verdict for log {index} of a batch of {length}"));
        };
        if std::mem::replace(&mut seen[position], true) {
            return Err(format!("returned two verdicts for log {index}"));
        }
        let outcome = match outcome {
            types::Outcome::Skip => core::Outcome::Skip,
            types::Outcome::Reject(reason) => core::Outcome::Reject(reason),
            types::Outcome::Retry(reason) => core::Outcome::Retry(reason),
        };
        verdicts.push(core::Verdict { index: position, outcome });
    }
    let publish = raw.publish.into_iter().map(|log| derived(log, descriptor)).collect::<Result<_, _>>()?;
    Ok(core::Processed { verdicts, publish })
}

/// Converts a log that a plugin publishes; without a source, the plugin's name is its source.
fn derived(raw: types::DerivedLog, descriptor: &core::Descriptor) -> Result<core::Log, String> {
    let severity = match raw.severity {
        types::Severity::Debug => core::Severity::Debug,
        types::Severity::Info => core::Severity::Info,
        types::Severity::Error => core::Severity::Error,
        types::Severity::Critical => core::Severity::Critical,
    };
    if !descriptor.publishes.contains(severity) {
        return Err(format!(
            "publishes a log of severity {severity}, which it has not declared in `publishes`"
        ));
    }
    let source = raw.source.unwrap_or_else(|| descriptor.name.to_string());
    let source = core::Source::new(source).map_err(|e| format!("publishes a log that cannot be: {e}"))?;
    let mut attributes = core::Attributes::default();
    for (key, value) in raw.attributes {
        attributes.push(key, value).map_err(|e| format!("publishes a log that cannot be: {e}"))?;
    }
    Ok(core::Log {
        severity,
        message: raw.message,
        source: Some(source),
        timestamp: None,
        attributes,
        hops: 0,
    })
}
