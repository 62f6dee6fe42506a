//! Sends metrics and traces to a collector of `OpenTelemetry`, by OTLP over HTTP.
//!
//! Knows the events of the core, and the metrics of the board; knows no broker and no plugin. In reading order: [`Options`] is
//! what the standard variables ask for, [`Exporter`] sends in tasks of its own, each through a `signal_sender`, `metrics` and [`Spans`] make what it sends of
//! figures and of events, `proto` is how that looks, and `collector` who takes it.
//!
//! Nothing waits for a collector: metrics are what they are when they are sent, and spans that come faster than they are taken
//! are dropped, and counted.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/>, "OTLP/HTTP".

mod collector;
mod event;
mod exporter;
mod metrics;
mod options;
mod proto;
mod signal_sender;
mod spans;
mod variables;
mod waiting;

pub use event::ExportEvent;
pub use exporter::{Exporter, Exports};
pub use options::{Endpoint, Options};
pub use spans::Spans;
pub use variables::{VARIABLES, VariableError, shown};
