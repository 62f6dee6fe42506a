//! What happens to what is sent to a collector, in words and in figures.

use loghost_board::Signal;
use loghost_core::application::Level;
use loghost_otlp::ExportEvent;
use serde_json::{Value, json};

use super::ShownEvent;

/// An event of an exporter as it is shown.
pub(super) fn shown(event: &ExportEvent) -> ShownEvent<'static> {
    let (name, text, fields) = described(event);
    let level = match event {
        ExportEvent::TakenAgain { .. } => Level::Info,
        _ => Level::Warning,
    };
    ShownEvent::new(level, name, format!("OpenTelemetry: {text}"), fields)
}

fn described(event: &ExportEvent) -> (&'static str, String, Value) {
    match event {
        ExportEvent::NotTaken { address, signal, cause } => {
            let consequence = match signal {
                Signal::Metrics => "the next ones are complete again",
                Signal::Traces => "what it does not take is dropped, and counted",
            };
            let signal = named(*signal);
            let text = format!(
                "{address} does not take {signal}: {cause}; {consequence}, and logs are consumed as before"
            );
            ("signal_not_taken", text, json!({ "address": address, "signal": signal, "cause": cause }))
        }
        ExportEvent::TakenAgain { address, signal } => {
            let signal = named(*signal);
            let text = format!("{address} takes {signal} again");
            ("signal_taken_again", text, json!({ "address": address, "signal": signal }))
        }
        ExportEvent::PartsRejected { address, signal, parts, cause } => {
            let what = match signal {
                Signal::Metrics => "data points of metrics",
                Signal::Traces => "spans",
            };
            let text = format!("{address} has rejected {parts} {what}: {cause}");
            let signal = named(*signal);
            let fields = json!({ "address": address, "signal": signal, "parts": parts, "cause": cause });
            ("signal_parts_rejected", text, fields)
        }
        ExportEvent::SpansDropped => {
            let text = "spans come faster than the collector takes them, and are dropped: loghost_spans_total counts them";
            ("spans_dropped", text.to_owned(), Value::Null)
        }
        ExportEvent::SpansWereDropped(spans) => {
            let text = format!("{spans} spans were dropped in this run");
            ("spans_were_dropped", text, json!({ "spans": spans }))
        }
    }
}

fn named(signal: Signal) -> &'static str {
    match signal {
        Signal::Metrics => "metrics",
        Signal::Traces => "traces",
    }
}
